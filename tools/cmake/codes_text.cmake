# -DFROM=bus/CODES.md -DTO=codes_text.cpp: one string a code, as app/explain.hpp declares them.
file(READ ${FROM} text)
string(REPLACE "\n## " ")=\",\n    R\"=(" text "${text}")
file(WRITE ${TO} "#include \"app/explain.hpp\"\n\nnamespace clrbus::app {\n\nconst std::initializer_list<std::string_view> kCodePages{\n    R\"=(${text})=\"};\n\n}  // namespace clrbus::app\n")

// A room without sources yet still is a library, so that others can name it.
namespace clrbus {}

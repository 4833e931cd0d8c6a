// A sanitizer holds freed memory back, so that under it the size of the process says nothing about the bus.
#pragma once

namespace clrbus {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace clrbus

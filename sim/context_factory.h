// Which of its ways to give actors stacks SimGrid is asked for. All give the same history to the byte.
#pragma once

namespace sim {

/// The fastest that there is: `raw` is written for x86 only, and elsewhere SimGrid 3.32 refuses to start with it; its
/// own choice there, `ucontext`, makes system calls at every switch, `boost` none. Threads take a hundred times as
/// long.
#if defined(__SANITIZE_ADDRESS__)
// g++'s address sanitizer cannot follow stacks that are switched; threads it can. clang's does not define this: it says
// once that it does not know the stack, and goes on, with nothing false in all tests.
inline constexpr const char* kContextFactory = "--cfg=contexts/factory:thread";
#elif defined(__x86_64__) || defined(__i386__)
inline constexpr const char* kContextFactory = "--cfg=contexts/factory:raw";
#else
inline constexpr const char* kContextFactory = "--cfg=contexts/factory:boost";
#endif

}  // namespace sim

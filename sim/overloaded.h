// A visitor of a variant made of one lambda for each alternative.
#pragma once

namespace sim {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

// C++20 has no need of it, but clang 14 has.
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace sim

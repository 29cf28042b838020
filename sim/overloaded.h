// A visitor of a variant made of one lambda for each alternative.
#pragma once

namespace sim {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace sim

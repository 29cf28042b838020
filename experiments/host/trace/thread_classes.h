// Classes of threads: those of one name, but for the numbers in it. worker-1 to worker-64 are the class worker-N.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/measure/blame.h"

namespace experiments {

class ThreadClasses {
 public:
  /// The most that are told apart; who comes later is in the class `others`. Names can be anything, also random.
  static constexpr std::size_t kMost = 1000;

  /// Of a thread of that name.
  [[nodiscard]] models::ClassId of(std::string_view comm);
  /// Of those that the trace does not show.
  [[nodiscard]] models::ClassId unseen();

  /// By number: the thread's name where all of a class have one, so that cc1plus stays what it is.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  [[nodiscard]] models::ClassId add(std::string name);

  struct Folded {
    models::ClassId id;
    std::string comm;  // of the first
    bool one_comm = true;
  };

  std::unordered_map<std::string, models::ClassId> by_comm_;
  std::unordered_map<std::string, Folded> by_folded_;
  std::vector<std::string> names_;
  models::ClassId unseen_ = -1;
  models::ClassId others_ = -1;
};

/// With each number as N: `kworker/N:N`.
[[nodiscard]] std::string folded_digits(std::string_view comm);

}  // namespace experiments

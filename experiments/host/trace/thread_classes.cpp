#include "experiments/host/trace/thread_classes.h"

#include "experiments/host/trace/text_scan.h"

namespace experiments {

std::string folded_digits(std::string_view comm) {
  std::string folded;
  for (const char c : comm) {
    if (!is_digit(c)) {
      folded += c;
    } else if (!folded.ends_with('N')) {
      folded += 'N';
    }
  }
  return folded;
}

models::ClassId ThreadClasses::add(std::string name) {
  names_.push_back(std::move(name));
  return static_cast<models::ClassId>(names_.size()) - 1;
}

models::ClassId ThreadClasses::of(std::string_view comm) {
  const std::string name(comm);
  if (const auto known = by_comm_.find(name); known != by_comm_.end()) return known->second;
  std::string folded = folded_digits(comm);
  auto place = by_folded_.find(folded);
  if (place == by_folded_.end()) {
    if (names_.size() >= kMost) return others_ < 0 ? others_ = add("others") : others_;
    place = by_folded_.emplace(std::move(folded), Folded{add(name), name}).first;
  } else if (place->second.one_comm && place->second.comm != name) {
    place->second.one_comm = false;
    names_[static_cast<std::size_t>(place->second.id)] = place->first;
  }
  constexpr std::size_t kMostNames = 100'000;
  if (by_comm_.size() < kMostNames) by_comm_.emplace(name, place->second.id);
  return place->second.id;
}

models::ClassId ThreadClasses::unseen() { return unseen_ < 0 ? unseen_ = add("(not seen)") : unseen_; }

}  // namespace experiments

#include "sim/distribution.h"

#include <boost/random/exponential_distribution.hpp>
#include <boost/random/normal_distribution.hpp>
#include <boost/random/uniform_int_distribution.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/overloaded.h"
#include "sim/random.h"

namespace sim {

namespace {

double sigma_of(const Lognormal& lognormal) {
  return std::log(static_cast<double>(lognormal.p99.count()) / static_cast<double>(lognormal.median.count())) /
         Lognormal::kNormalP99;
}

Nanoseconds rounded(double nanoseconds) { return Nanoseconds{std::llround(nanoseconds)}; }

std::int64_t uniform(Stream& stream, std::int64_t low, std::int64_t high) {
  return boost::random::uniform_int_distribution<std::int64_t>(low, high)(stream);
}

}  // namespace

Nanoseconds Distribution::draw(Stream& stream) const {
  return std::visit(
      Overloaded{
          [](const Constant& constant) { return constant.value; },
          [&](const Uniform& range) { return Nanoseconds{uniform(stream, range.low.count(), range.high.count())}; },
          [&](const Exponential& exponential) {
            const boost::random::exponential_distribution<double> unit;
            return rounded(unit(stream) * static_cast<double>(exponential.mean.count()));
          },
          [&](const Lognormal& lognormal) {
            boost::random::normal_distribution<double> normal;
            return rounded(static_cast<double>(lognormal.median.count()) *
                           std::exp(sigma_of(lognormal) * normal(stream)));
          },
          [&](const Empirical& empirical) {
            const auto last = static_cast<std::int64_t>(empirical.samples.size()) - 1;
            return empirical.samples[static_cast<std::size_t>(uniform(stream, 0, last))];
          },
      },
      kind_);
}

double Distribution::mean() const {
  return std::visit(Overloaded{
                        [](const Constant& constant) { return static_cast<double>(constant.value.count()); },
                        [](const Uniform& range) { return static_cast<double>((range.low + range.high).count()) / 2; },
                        [](const Exponential& exponential) { return static_cast<double>(exponential.mean.count()); },
                        [](const Lognormal& lognormal) {
                          const double sigma = sigma_of(lognormal);
                          return static_cast<double>(lognormal.median.count()) * std::exp(sigma * sigma / 2);
                        },
                        [](const Empirical& empirical) {
                          const auto add = [](double sum, Nanoseconds each) {
                            return sum + static_cast<double>(each.count());
                          };
                          return std::accumulate(empirical.samples.begin(), empirical.samples.end(), 0.0, add) /
                                 static_cast<double>(empirical.samples.size());
                        },
                    },
                    kind_);
}

Nanoseconds Distribution::least() const {
  return std::visit(Overloaded{
                        [](const Constant& constant) { return constant.value; },
                        [](const Uniform& range) { return range.low; },
                        [](const Exponential&) { return Nanoseconds{0}; },
                        [](const Lognormal&) { return Nanoseconds{0}; },
                        [](const Empirical& empirical) {
                          return *std::min_element(empirical.samples.begin(), empirical.samples.end());
                        },
                    },
                    kind_);
}

}  // namespace sim

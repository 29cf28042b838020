#include "models/sched/sched_fair.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

namespace models {

namespace {

using Wide = CfsRq::Wide;

// calc_delta_fair: real time to virtual time.
std::int64_t virtual_time(sim::Nanoseconds real, std::int64_t weight) {
  return weight == kNice0Load ? real.count() : real.count() * kNice0Load / weight;
}

std::int64_t floor_divide(Wide dividend, std::int64_t divisor) {
  const Wide quotient = dividend / divisor;
  return static_cast<std::int64_t>(dividend % divisor < 0 ? quotient - 1 : quotient);
}

}  // namespace

std::int64_t weight_of_nice(int nice) {
  constexpr std::array<std::int64_t, 40> kWeights{88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
                                                  9548,  7620,  6100,  4904,  3906,  3121,  2501,  1991,  1586,  1277,
                                                  1024,  820,   655,   526,   423,   335,   272,   215,   172,   137,
                                                  110,   87,    70,    56,    45,    36,    29,    23,    18,    15};
  assert(nice >= -20 && nice <= 19);
  const int row = nice + 20;
  return kWeights[static_cast<std::size_t>(row)];
}

FairRules fair_rules(const SchedulerSpec& scheduler, int cpus) {
  const int factor = static_cast<int>(std::bit_width(static_cast<unsigned>(std::min(cpus, 8))));  // 1 + ilog2
  return {.flavour = scheduler.flavour,
          .delayed_dequeue = scheduler.delayed_dequeue,
          .tick = scheduler.tick,
          .latency = scheduler.latency * factor,
          .min_granularity = scheduler.min_granularity * factor,
          .wakeup_granularity = scheduler.wakeup_granularity * factor,
          .base_slice = scheduler.base_slice * factor};
}

sim::Nanoseconds sched_period(const FairRules& rules, std::size_t tasks) {
  const auto count = static_cast<std::int64_t>(tasks);
  const auto nr_latency = (rules.latency + rules.min_granularity - sim::Nanoseconds{1}) / rules.min_granularity;
  return count > nr_latency ? count * rules.min_granularity : rules.latency;
}

// ---------------------------------------------------------------------------------------------------------------
// What both flavours have in common

bool VruntimeOrder::operator()(const SchedEntity* one, const SchedEntity* other) const {
  return std::pair(one->vruntime_, one->queued_) < std::pair(other->vruntime_, other->queued_);
}

bool DeadlineOrder::operator()(const SchedEntity* one, const SchedEntity* other) const {
  return std::pair(one->deadline_, one->queued_) < std::pair(other->deadline_, other->queued_);
}

template <class Node, class Iterator, class Order, class Allocator>
void LeastVruntime<Node, Iterator, Order, Allocator>::operator()(Iterator node, Node end) const {
  std::int64_t least = (**node)->vruntime_;
  for (const Iterator child : {node.get_l_child(), node.get_r_child()}) {
    if (child != end) least = std::min(least, child.get_metadata());
  }
  const_cast<std::int64_t&>(node.get_metadata()) = least;  // the interface of pb_ds
}

template <class Node, class Iterator, class Order, class Allocator>
std::optional<std::int64_t> LeastVruntime<Node, Iterator, Order, Allocator>::least() const {
  return node_begin() == node_end() ? std::nullopt : std::optional(node_begin().get_metadata());
}

// __pick_eevdf
template <class Node, class Iterator, class Order, class Allocator>
template <class Eligible>
SchedEntity* LeastVruntime<Node, Iterator, Order, Allocator>::first(Eligible eligible) const {
  const Node end = node_end();
  Node node = node_begin();
  if (node == end || !eligible(node.get_metadata())) return nullptr;
  for (;;) {
    const Node left = node.get_l_child();
    if (left != end && eligible(left.get_metadata())) {
      node = left;
    } else if (eligible((**node)->vruntime_)) {
      return **node;
    } else {
      node = node.get_r_child();
    }
  }
}

sim::Nanoseconds CfsRq::update_curr(sim::Time now) {
  if (curr_ == nullptr || now <= *curr_->exec_start_) return {};  // it may be on its way to the CPU still
  const sim::Nanoseconds ran = now - *curr_->exec_start_;
  curr_->exec_start_ = now;
  curr_->sum_exec_runtime += ran;
  curr_->vruntime_ += virtual_time(ran, curr_->weight);
  if (eevdf()) update_deadline(*curr_);
  update_min_vruntime();
  return ran;
}

void CfsRq::add(SchedEntity& entity) {
  entity.queued_ = ++queuings_;
  insert(entity);
}

// Its place is kept while it runs, so that a switch allocates nothing (cfs).
void CfsRq::insert(SchedEntity& entity) {
  if (eevdf()) {
    by_deadline_.insert(&entity);
  } else if (entity.place_.empty()) {
    by_vruntime_.insert(&entity);
  } else {
    by_vruntime_.insert(std::move(entity.place_));
  }
  weighted_vruntimes_ += Wide{entity.vruntime_} * entity.weight;
}

void CfsRq::remove(SchedEntity& entity) {
  if (eevdf()) {
    by_deadline_.erase(&entity);
  } else {
    entity.place_ = by_vruntime_.extract(&entity);
  }
  weighted_vruntimes_ -= Wide{entity.vruntime_} * entity.weight;
}

std::optional<std::int64_t> CfsRq::least_waiting() const {
  if (eevdf()) return by_deadline_.least();
  return by_vruntime_.empty() ? std::nullopt : std::optional((*by_vruntime_.begin())->vruntime_);
}

std::vector<const SchedEntity*> CfsRq::waiting() const {
  std::vector<const SchedEntity*> entities(by_vruntime_.begin(), by_vruntime_.end());
  entities.insert(entities.end(), by_deadline_.begin(), by_deadline_.end());
  std::sort(entities.begin(), entities.end(),
            [](const SchedEntity* one, const SchedEntity* other) { return one->queued_ < other->queued_; });
  return entities;
}

void CfsRq::enqueue(SchedEntity& entity, Enqueue why) {
  assert(!entity.on_rq && entity.weight > 0);
  if (eevdf()) {
    place_eevdf(entity, why);
  } else {
    place_cfs(entity, why);
  }
  entity.relative_ = false;
  entity.on_rq = true;
  load_ += entity.weight;
  add(entity);
}

bool CfsRq::dequeue(SchedEntity& entity, bool sleeps) {
  assert(entity.on_rq);
  if (next_ == &entity) next_ = nullptr;
  if (eevdf() && sleeps && rules_.delayed_dequeue && entity.my_q == nullptr && !eligible(entity.vruntime_)) {
    entity.sched_delayed = true;
    if (curr_ == &entity) put_prev();
    return false;
  }
  if (eevdf()) entity.vlag_ = lag_of(entity);
  if (curr_ == &entity) {
    curr_ = nullptr;
  } else {
    remove(entity);
  }
  if (eevdf()) {
    if (!sleeps) entity.deadline_ -= entity.vruntime_;  // PLACE_REL_DEADLINE
    entity.relative_ = !sleeps;
  } else if (!sleeps) {  // before min_vruntime follows those that stay
    entity.vruntime_ -= min_vruntime_;
    entity.relative_ = true;
  }
  entity.on_rq = false;
  load_ -= entity.weight;
  if (!eevdf()) update_min_vruntime();
  return true;
}

void CfsRq::dequeue_delayed(SchedEntity& entity) {
  assert(entity.sched_delayed && curr_ != &entity);
  entity.vlag_ = std::min<std::int64_t>(0, lag_of(entity));  // DELAY_ZERO
  entity.sched_delayed = false;
  entity.on_rq = false;
  load_ -= entity.weight;
  remove(entity);
}

void CfsRq::requeue_delayed(SchedEntity& entity) {
  assert(entity.sched_delayed);
  entity.sched_delayed = false;
  if (lag_of(entity) <= 0) return;
  remove(entity);
  load_ -= entity.weight;
  entity.vlag_ = 0;  // DELAY_ZERO
  place_eevdf(entity, Enqueue::wakeup);
  load_ += entity.weight;
  add(entity);
}

// cfs: se->vruntime -= min_vruntime (migrate_task_rq_fair, dequeue_entity). With eevdf it is the lag that goes along.
void CfsRq::leave_for_another(SchedEntity& entity, const CfsRq& from) {
  assert(!entity.on_rq);
  entity.exec_start_.reset();  // no longer cache-hot
  if (from.eevdf() || entity.relative_) return;
  entity.vruntime_ -= from.min_vruntime_;
  entity.relative_ = true;
}

void CfsRq::reweight(SchedEntity& entity, std::int64_t weight) {
  if (entity.weight == weight) return;
  const bool waits = entity.on_rq && curr_ != &entity;
  const std::int64_t average = eevdf() ? avg_vruntime() : 0;
  if (waits) remove(entity);
  if (entity.on_rq && eevdf()) {  // reweight_eevdf: the lag in real time stays what it was
    const std::int64_t ahead = entity.deadline_ - entity.vruntime_;
    const bool within_slice = entity.protected_until_ == entity.deadline_;
    entity.vruntime_ = average - (average - entity.vruntime_) * entity.weight / weight;
    entity.deadline_ = entity.vruntime_ + ahead * entity.weight / weight;
    entity.protected_until_ = within_slice ? std::optional(entity.deadline_) : std::nullopt;
  }
  if (entity.on_rq) load_ += weight - entity.weight;
  entity.weight = weight;
  if (waits) insert(entity);
}

void CfsRq::set_next(SchedEntity& entity, sim::Time start) {
  assert(curr_ == nullptr && entity.on_rq);
  remove(entity);
  curr_ = &entity;
  if (next_ == &entity) next_ = nullptr;
  entity.exec_start_ = start;
  entity.prev_sum_exec_runtime_ = entity.sum_exec_runtime;
  entity.protected_until_ = entity.deadline_;
  slice_used_ = false;
}

void CfsRq::put_prev() {
  add(*curr_);
  curr_ = nullptr;
}

SchedEntity* CfsRq::pick() const {
  if (eevdf()) return pick_eevdf();
  SchedEntity* left = first();
  if (curr_ != nullptr && (left == nullptr || curr_->vruntime_ < left->vruntime_)) left = curr_;
  // A woken one that preempts may be a little behind the leftmost.
  if (next_ != nullptr && left != nullptr) {
    const std::int64_t behind = next_->vruntime_ - left->vruntime_;
    if (behind <= virtual_time(rules_.wakeup_granularity, left->weight)) return next_;
  }
  return left;
}

sim::Nanoseconds CfsRq::share_of(const SchedEntity& entity, sim::Nanoseconds period) const {
  return sim::Nanoseconds{static_cast<std::int64_t>(Wide{period.count()} * entity.weight / load_)};
}

bool CfsRq::check_preempt_tick(sim::Nanoseconds slice) const {
  assert(!eevdf());
  if (by_vruntime_.empty()) return false;
  const sim::Nanoseconds ran = curr_->sum_exec_runtime - curr_->prev_sum_exec_runtime_;
  const sim::Nanoseconds ideal = std::min(slice, rules_.latency);
  if (ran > ideal) return true;
  if (ran < rules_.min_granularity) return false;
  return curr_->vruntime_ - first()->vruntime_ > ideal.count();
}

bool CfsRq::wakeup_preempts(SchedEntity& woken) {
  if (curr_ == nullptr || curr_ == &woken) return false;
  if (eevdf()) return pick_eevdf() == &woken;
  // wakeup_preempt_entity: the granularity is scaled by the weight of the woken one.
  const std::int64_t lead = curr_->vruntime_ - woken.vruntime_;
  if (lead <= virtual_time(rules_.wakeup_granularity, woken.weight)) return false;
  next_ = &woken;
  return true;
}

// ---------------------------------------------------------------------------------------------------------------
// cfs

// The leftmost of those that wait.
SchedEntity* CfsRq::first() const { return by_vruntime_.empty() ? nullptr : *by_vruntime_.begin(); }

void CfsRq::update_min_vruntime() {
  const std::optional<std::int64_t> waiting = least_waiting();
  if (curr_ == nullptr && !waiting) return;
  std::int64_t least = curr_ != nullptr ? curr_->vruntime_ : *waiting;
  if (waiting) least = std::min(least, *waiting);
  min_vruntime_ = std::max(min_vruntime_, least);
}

void CfsRq::place_cfs(SchedEntity& entity, Enqueue why) const {
  if (entity.relative_) entity.vruntime_ += min_vruntime_;
  if (why == Enqueue::migrated) return;
  if (why == Enqueue::initial) {  // START_DEBIT: as if it had had its share already
    const sim::Nanoseconds period = sched_period(rules_, nr_running() + 1);
    const sim::Nanoseconds slice{period.count() * entity.weight / (load_ + entity.weight)};
    entity.vruntime_ = min_vruntime_ + virtual_time(std::max(slice, rules_.min_granularity), entity.weight);
    return;
  }
  // GENTLE_FAIR_SLEEPERS: half a latency for those who slept.
  entity.vruntime_ = std::max(entity.vruntime_, min_vruntime_ - rules_.latency.count() / 2);
}

// ---------------------------------------------------------------------------------------------------------------
// eevdf

// Of all on the queue, each times its weight.
Wide CfsRq::weighted_vruntimes() const {
  return curr_ == nullptr ? weighted_vruntimes_ : weighted_vruntimes_ + Wide{curr_->vruntime_} * curr_->weight;
}

// The weighted mean: where an entity would stand that has had exactly its share. Of an empty queue: where it was.
std::int64_t CfsRq::avg_vruntime() const {
  if (load_ == 0) return min_vruntime_;
  if (nr_running() == 1) return (curr_ != nullptr ? curr_ : *by_deadline_.begin())->vruntime_;
  return floor_divide(weighted_vruntimes(), load_);
}

// lag >= 0, without rounding.
bool CfsRq::eligible(std::int64_t vruntime) const {
  return nr_running() == 1 || weighted_vruntimes() >= Wide{vruntime} * load_;
}

// update_entity_lag
std::int64_t CfsRq::lag_of(const SchedEntity& entity) const {
  const std::int64_t limit = virtual_time(std::max(2 * rules_.base_slice, rules_.tick), entity.weight);
  return std::clamp(avg_vruntime() - entity.vruntime_, -limit, limit);
}

void CfsRq::place_eevdf(SchedEntity& entity, Enqueue why) const {
  std::int64_t lag = 0;
  if (load_ > 0 && why != Enqueue::initial) {
    // Its own weight will pull the mean towards it: what it has of lag afterwards is what it had before.
    lag = floor_divide(Wide{entity.vlag_} * (load_ + entity.weight), load_);
  }
  entity.vruntime_ = avg_vruntime() - lag;
  if (entity.relative_) {
    entity.deadline_ += entity.vruntime_;
    return;
  }
  std::int64_t slice = virtual_time(rules_.base_slice, entity.weight);
  if (why == Enqueue::initial) slice /= 2;  // PLACE_DEADLINE_INITIAL
  entity.deadline_ = entity.vruntime_ + slice;
}

void CfsRq::update_deadline(SchedEntity& entity) {
  if (entity.vruntime_ < entity.deadline_) return;
  entity.deadline_ = entity.vruntime_ + virtual_time(rules_.base_slice, entity.weight);
  slice_used_ = true;
}

// The earliest deadline of those that are eligible; the one that runs, until its slice ends (RUN_TO_PARITY).
SchedEntity* CfsRq::pick_eevdf() const {
  const bool may_go_on = curr_ != nullptr && eligible(curr_->vruntime_);
  if (may_go_on && curr_->protected_until_ == curr_->deadline_) return curr_;
  SchedEntity* const first = by_deadline_.first([this](std::int64_t vruntime) { return eligible(vruntime); });
  return may_go_on && (first == nullptr || curr_->deadline_ < first->deadline_) ? curr_ : first;
}

}  // namespace models

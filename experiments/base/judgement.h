// Where this program draws the line between what a reader is told and what not. None of these was measured: each is a
// judgement, with its reason. What changes one changes words and ranks, never a figure.
#pragma once

#include <chrono>
#include <cstdint>

#include "sim/time.h"

namespace experiments::judgement {

// --- changes (change.h) ---------------------------------------------------------------------------------------

/// A change that its interval shows is told from 5 % on: below that nobody would act on it, however sure it is.
inline constexpr double kChangeThatMatters = 1.05;
/// A single replication shows no spread: what another seed would have given nobody knows, and only half as much again
/// is called a change.
inline constexpr double kPlainChange = 1.5;

// --- tails ----------------------------------------------------------------------------------------------------

/// What is called a tail begins with one request in ten: below that a percentile is what is usual.
inline constexpr double kLeastOfTheTail = 0.9;
/// The slowest of a class are worth a line where they took ten times the CPU that they needed: work alone does not
/// explain them, even if it varies severalfold.
inline constexpr int kMostlyWaits = 10;
/// What is called a stall takes a millisecond at least: people notice it, and nobody plans for it in a page fault or a
/// system call that maps ...
inline constexpr sim::Nanoseconds kStall = std::chrono::milliseconds{1};
/// ... and a hundred times what is usual in its class.
inline constexpr int kStallOfMedians = 100;
/// Where one policy ends a stall, the longest request is compared if it was ten times what the percentile shows, and
/// what is left: it is a single request, and only an order of magnitude of that is no matter of the seed.
inline constexpr int kStallBeyond = 10;
/// A cause is named from a twentieth of the time on. What is left out then is at most 5 % a piece, and a line stays one
/// that can be read.
inline constexpr double kWorthNaming = 0.05;

// --- the verdict (compare/verdict.h) --------------------------------------------------------------------------

/// A convoy is told of where one part in so many of the requests' time, or more, stands in it: kWorthNaming.
inline constexpr int kConvoyOneIn = 20;
/// ... and at least one part in so many of the waiting that is left: then the convoy is what is left.
inline constexpr int kConvoyOfWaitingOneIn = 2;
/// Reclaim is told of from half a per cent on, earlier than other causes: who reads nothing of it takes it that memory
/// was plenty.
inline constexpr double kReclaimWorthSaying = 0.005;
/// So many open requests at the end are those of a moment, in a loop that keeps up ...
inline constexpr std::uint64_t kOpenOfAMoment = 20;
/// ... and so are fewer than one for so many that were served.
inline constexpr std::uint64_t kOpenOneIn = 100;
/// A closed loop hides something where the p99 of an open one is half as long again: kPlainChange.
inline constexpr double kGapThatMatters = kPlainChange;
/// The percentile that is compared there: the highest that a short run has samples enough for.
inline constexpr double kGapQuantile = 0.99;

// --- explain --------------------------------------------------------------------------------------------------

/// A class suffers where its tail is three times what it is alone on the machine: nobody calls that noise, and sharing
/// CPUs fairly with one other makes it two.
inline constexpr double kFarAbove = 3;
/// A chain has a sentence of its own from a fifth of the time of a victim's slowest on: there can be five of them.
inline constexpr double kMainChain = 0.2;
/// What the holder did is told without a share where it did it nine tenths of the time.
inline constexpr double kNearlyAll = 0.9;
/// A second victim of the same chain is told of where its share is larger by a tenth of its time or more.
inline constexpr double kAboutAsMuch = 0.1;
/// A remedy is at the cost of others from the same factor on that a single replication must show.
inline constexpr double kAtTheCostOf = kPlainChange;

// --- remedies -------------------------------------------------------------------------------------------------

/// Ten times less often: far enough that what remains of a tail is not this one's doing.
inline constexpr int kLessOften = 10;
/// About ten times the weight of nice 0 (sched_prio_to_weight: 9548 to 1024), and what an administrator would dare.
inline constexpr int kHigherPriority = -10;
/// A call is worth cutting where that makes four pieces of it.
inline constexpr int kPieces = 4;
/// The lowest priority there is (MAX_NICE).
inline constexpr int kLowestPriority = 19;
/// Populate in batches of the pages under one page table: 2 MiB.
inline constexpr int kPopulateBatch = 512;

// --- studies --------------------------------------------------------------------------------------------------

/// With `precision` and without `at_most` no point takes more: Student's t is within 5 % of the normal by then, and
/// four times as many would only halve the interval.
inline constexpr int kAtMostReplications = 30;

}  // namespace experiments::judgement

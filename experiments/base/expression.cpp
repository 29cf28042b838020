#include "experiments/base/expression.h"

#include <fmt/format.h>

#include <boost/algorithm/string/trim.hpp>
#include <boost/spirit/home/x3.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "experiments/base/diagnostics.h"
#include "experiments/base/statistic_list.h"

// What an action is called in messages: as its subject. X3 itself would give the mangled name of its type.
template <typename Subject, typename Action>
struct boost::spirit::x3::get_info<boost::spirit::x3::action<Subject, Action>> {
  using result_type = std::string;
  std::string operator()(const boost::spirit::x3::action<Subject, Action>& parser) const {
    return boost::spirit::x3::what(parser.subject);
  }
};

namespace experiments {

namespace {

namespace x3 = boost::spirit::x3;

// --- the grammar --------------------------------------------------------------------------------------------

namespace grammar {

Expression operation(std::string op, std::vector<Expression> operands) {
  return {Expression::Kind::operation, std::move(op), {}, {}, std::move(operands)};
}

std::string text_of(const auto& context) {
  const auto& range = x3::_attr(context);
  return {range.begin(), range.end()};
}

/// `left op right`, where left is what has been read so far.
auto fold(const char* op) {
  return [op](auto& context) {
    Expression left = std::move(x3::_val(context));
    x3::_val(context) = operation(op, {std::move(left), x3::_attr(context)});
  };
}

auto unary(const char* op) {
  return [op](auto& context) { x3::_val(context) = operation(op, {x3::_attr(context)}); };
}

const auto keep = [](auto& context) { x3::_val(context) = x3::_attr(context); };

const auto literal_of = [](auto& context) {
  const Value value = value_of(text_of(context));
  // `5apples` must not be taken for the name of something.
  if (value.type == ValueType::word) {
    x3::_pass(context) = false;
    return;
  }
  x3::_val(context) = Expression{Expression::Kind::literal, {}, value};
};

const auto quoted_of = [](auto& context) {
  x3::_val(context) = Expression{Expression::Kind::literal, {}, {ValueType::word, 0, text_of(context)}};
};

const auto name_of = [](auto& context) { x3::_val(context) = Expression{Expression::Kind::name, text_of(context)}; };

const auto begin_measure = [](auto& context) {
  x3::_val(context) = Expression{Expression::Kind::measure};
  x3::_val(context).measure.statistic = text_of(context);
  x3::_val(context).measure.phase = "total";
};

const auto who = [](auto& context) {
  const std::string text = text_of(context);
  const std::size_t dot = text.find('.');
  Measure& measure = x3::_val(context).measure;
  measure.class_name = text.substr(0, dot);
  if (dot != std::string::npos) measure.phase = text.substr(dot + 1);
};

const auto under = [](auto& context) { x3::_val(context).measure.policy = text_of(context); };

const auto name_start = x3::alpha | x3::char_('_');
const auto name_rest = x3::alnum | x3::char_('_');
const auto keyword = [](const char* word) { return x3::lexeme[x3::lit(word) >> !name_rest]; };
const auto reserved = keyword("and") | keyword("or") | keyword("not");
const auto plain_name = x3::lexeme[x3::raw[name_start >> *name_rest]];
const auto number_with_unit = x3::lexeme[x3::raw[x3::digit >> *(x3::alnum | x3::char_('.'))]];
const auto quoted = x3::lexeme['\'' >> x3::raw[*(x3::char_ - '\'')] > '\''];

const x3::rule<class DottedName, std::string> dotted_name("a name");
const x3::rule<class AnyOf, Expression> any_of("a value");
const x3::rule<class AllOf, Expression> all_of("a value");
const x3::rule<class Negation, Expression> negation("a value");
const x3::rule<class Relation, Expression> relation("a value");
const x3::rule<class Sum, Expression> sum("a value");
const x3::rule<class Product, Expression> product("a value");
const x3::rule<class Factor, Expression> factor("a value");
const x3::rule<class Call, Expression> call("a measure such as p99(faulter.munlock)");

const auto dotted_name_def = x3::lexeme[x3::raw[(x3::alnum | x3::char_('_')) >> *(x3::alnum | x3::char_("_.-"))]];
const auto call_def = plain_name[begin_measure] >> '(' > dotted_name[who] > -(',' > dotted_name[under]) > ')';
const auto factor_def = number_with_unit[literal_of] | quoted[quoted_of] | call[keep] |
                        (!reserved >> plain_name[name_of]) | ('(' > any_of[keep] > ')') |
                        ('-' > factor[unary("negate")]);
const auto product_def = factor[keep] >> *(('*' > factor[fold("*")]) | ('/' > factor[fold("/")]));
const auto sum_def = product[keep] >> *(('+' > product[fold("+")]) | ('-' > product[fold("-")]));
const auto relation_def = sum[keep] >> -((x3::lit("==") > sum[fold("==")]) | (x3::lit("!=") > sum[fold("!=")]) |
                                         (x3::lit("<=") > sum[fold("<=")]) | (x3::lit(">=") > sum[fold(">=")]) |
                                         ('<' > sum[fold("<")]) | ('>' > sum[fold(">")]));
const auto negation_def = (keyword("not") > negation[unary("not")]) | relation[keep];
const auto all_of_def = negation[keep] >> *(keyword("and") > negation[fold("and")]);
const auto any_of_def = all_of[keep] >> *(keyword("or") > all_of[fold("or")]);

BOOST_SPIRIT_DEFINE(dotted_name, any_of, all_of, negation, relation, sum, product, factor, call)

}  // namespace grammar

// --- types --------------------------------------------------------------------------------------------------

bool is_quantity(ValueType type) {
  return type == ValueType::number || type == ValueType::size || type == ValueType::duration;
}

Refusal mismatch(const Expression& expression, ValueType left, ValueType right) {
  return Refusal{fmt::format("{} {} {} makes no sense", to_string(left), expression.text, to_string(right))};
}

Expected<ValueType> type_of_product(const Expression& expression, ValueType left, ValueType right) {
  if (!is_quantity(left) || !is_quantity(right)) return mismatch(expression, left, right);
  if (right == ValueType::number) return left;
  if (expression.text == "*" && left == ValueType::number) return right;
  if (expression.text == "/" && left == right) return ValueType::number;
  return mismatch(expression, left, right);
}

Expected<ValueType> type_of_binary(const Expression& expression, ValueType left, ValueType right) {
  const std::string& op = expression.text;
  if (op == "*" || op == "/") return type_of_product(expression, left, right);
  if (op == "and" || op == "or") {
    if (left != ValueType::truth || right != ValueType::truth) return mismatch(expression, left, right);
    return ValueType::truth;
  }
  if (left != right) return mismatch(expression, left, right);
  if (op == "==" || op == "!=") return ValueType::truth;
  if (!is_quantity(left)) return mismatch(expression, left, right);
  return op == "+" || op == "-" ? left : ValueType::truth;
}

Expected<ValueType> type_of_measure(const Measure& measure, bool allowed) {
  const auto& known = statistic_names();
  if (std::find(known.begin(), known.end(), measure.statistic) == known.end()) {
    const std::string meant = did_you_mean(measure.statistic, known);
    return Refusal{fmt::format("there is no statistic '{}'{}", measure.statistic,
                               meant.empty() ? fmt::format(" (known: {})", fmt::join(known, ", ")) : meant)};
  }
  if (!allowed) return Refusal{fmt::format("{} is known after the runs only", to_text(measure))};
  return measure.statistic == "count" ? ValueType::number : ValueType::duration;
}

const KnownName* find_name(const std::vector<KnownName>& names, const std::string& name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const KnownName& each) { return each.name == name; });
  return found == names.end() ? nullptr : &*found;
}

Refusal unknown_name(const std::string& name, const std::vector<KnownName>& names) {
  std::vector<std::string> known;
  known.reserve(names.size());
  for (const KnownName& each : names) known.push_back(each.name);
  const std::string meant = did_you_mean(name, known);
  if (known.empty()) return Refusal{fmt::format("expected a number, a quantity or a measure, found '{}'", name)};
  if (!meant.empty()) return Refusal{fmt::format("there is no axis '{}'{}", name, meant)};
  return Refusal{fmt::format("there is no axis '{}' (known: {})", name, fmt::join(known, ", "))};
}

/// The word that `side` is beside the axis `other`; nothing when it is none.
std::optional<std::string> word_beside(const Expression& side, const Expression& other,
                                       const std::vector<KnownName>& names) {
  if (other.kind != Expression::Kind::name) return std::nullopt;
  const KnownName* const axis = find_name(names, other.text);
  if (axis == nullptr || axis->type != ValueType::word) return std::nullopt;
  if (side.kind == Expression::Kind::name && find_name(names, side.text) == nullptr) return side.text;
  if (side.kind == Expression::Kind::literal && side.value.type == ValueType::word) return side.value.word;
  return std::nullopt;
}

/// `axis == word`; nothing when the expression is something else.
std::optional<Expected<ValueType>> type_of_word_test(const Expression& expression,
                                                     const std::vector<KnownName>& names) {
  if (expression.text != "==" && expression.text != "!=") return std::nullopt;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const Expression& axis = expression.operands[1 - side];
    const auto word = word_beside(expression.operands[side], axis, names);
    if (!word) continue;
    const std::vector<std::string>& words = find_name(names, axis.text)->words;
    if (std::find(words.begin(), words.end(), *word) != words.end()) return ValueType::truth;
    const std::string meant = did_you_mean(*word, words);
    return Refusal{fmt::format("'{}' is no value of {}{}", *word, axis.text,
                               meant.empty() ? fmt::format(" (its values: {})", fmt::join(words, ", ")) : meant)};
  }
  return std::nullopt;
}

Expected<ValueType> type_of_operation(const Expression& expression, const std::vector<KnownName>& names,
                                      bool measures_allowed) {
  if (const auto known = type_of_word_test(expression, names)) return *known;
  std::vector<ValueType> types;
  for (const Expression& operand : expression.operands) {
    auto type = type_of(operand, names, measures_allowed);
    if (!type) return type;
    types.push_back(*type);
  }
  if (types.size() == 2) return type_of_binary(expression, types[0], types[1]);
  const bool fits = expression.text == "not" ? types[0] == ValueType::truth : is_quantity(types[0]);
  if (fits) return types[0];
  return Refusal{fmt::format("{} {} makes no sense", expression.text == "not" ? "not" : "-", to_string(types[0]))};
}

// --- values -------------------------------------------------------------------------------------------------

bool compare(const std::string& op, const Value& left, const Value& right) {
  if (op == "==") return left == right;
  if (op == "!=") return !(left == right);
  if (op == "<") return left.amount < right.amount;
  if (op == "<=") return left.amount <= right.amount;
  if (op == ">") return left.amount > right.amount;
  return left.amount >= right.amount;
}

Value truth(bool value) { return {ValueType::truth, value ? 1.0 : 0.0}; }

Value calculate(const std::string& op, const Value& left, const Value& right) {
  if (op == "+") return {left.type, left.amount + right.amount};
  if (op == "-") return {left.type, left.amount - right.amount};
  if (op == "*") return {left.type == ValueType::number ? right.type : left.type, left.amount * right.amount};
  return {right.type == ValueType::number ? left.type : ValueType::number, left.amount / right.amount};
}

bool is_true(const std::optional<Value>& value) { return value && value->amount != 0; }

Evaluation some(Value value) { return std::optional(std::move(value)); }

/// `and` and `or`: one side with the truth `decisive` settles it, even where the other one has none.
Evaluation combine(bool decisive, const Evaluation& left, const Evaluation& right) {
  for (const Evaluation* const side : {&left, &right}) {
    if (*side && is_true(**side) == decisive) return some(truth(decisive));
  }
  if (!left) return left;
  return right ? some(truth(!decisive)) : right;
}

Evaluation calculate_finite(const std::string& op, const Value& left, const Value& right) {
  if (op == "/" && right.amount == 0) return Refusal{"a division by zero: the result is no finite number"};
  Value value = calculate(op, left, right);
  if (!std::isfinite(value.amount)) return Refusal{"the result is no finite number"};
  return some(std::move(value));
}

Evaluation evaluate_unary(const std::string& op, const Evaluation& operand) {
  if (!operand) return operand;
  const std::optional<Value>& value = *operand;
  if (op == "not") return some(truth(!is_true(value)));
  return value ? some({value->type, -value->amount}) : operand;
}

Evaluation evaluate_operation(const Expression& expression, const Surroundings& surroundings) {
  const std::string& op = expression.text;
  const Evaluation left = evaluate(expression.operands[0], surroundings);
  if (expression.operands.size() == 1) return evaluate_unary(op, left);
  const Evaluation right = evaluate(expression.operands[1], surroundings);
  if (op == "and") return combine(false, left, right);
  if (op == "or") return combine(true, left, right);
  if (!left) return left;
  if (!right) return right;
  const std::optional<Value>& a = *left;
  const std::optional<Value>& b = *right;
  const bool arithmetic = op == "+" || op == "-" || op == "*" || op == "/";
  if (!arithmetic) return some(truth(a && b && compare(op, *a, *b)));
  return a && b ? calculate_finite(op, *a, *b) : Evaluation(std::optional<Value>{});
}

bool is_whole(double amount) { return std::isfinite(amount) && amount == std::floor(amount); }

// --- what is refused before it is parsed ----------------------------------------------------------------------

/// Looks like a blank and is none: what is pasted from a web page.
bool starts_with_odd_blank(std::string_view text) {
  constexpr std::array<std::string_view, 7> kBlanks{"\u00a0", "\u2007", "\u2009", "\u200b",
                                                    "\u202f", "\u3000", "\ufeff"};
  return std::any_of(kBlanks.begin(), kBlanks.end(), [&](std::string_view blank) { return text.starts_with(blank); });
}

Refusal senseless(std::string_view text, std::string_view rest) {
  // X3's classes of characters are of ASCII, and assert that they are asked about nothing else.
  const auto in_word = [](char c) {
    return (static_cast<unsigned char>(c) & 0x80U) != 0 || std::isalnum(static_cast<unsigned char>(c)) != 0;
  };
  const auto end = std::find_if_not(rest.begin(), rest.end(), in_word);
  const std::string_view word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  return Refusal{fmt::format("in '{}': cannot make sense of '{}'{}", text, word,
                             starts_with_odd_blank(word) ? " (a blank, but not the plain one)" : "")};
}

/// What the parser must not see; nothing where there is no such thing. Between quotes there may be any character.
std::optional<Refusal> refuse_unseen(std::string_view text) {
  if (text.size() > kLongestExpression) {
    return Refusal{fmt::format("an expression of {} characters: at most {} are read", text.size(), kLongestExpression)};
  }
  bool quoted_word = false;
  int depth = 0;
  for (std::size_t place = 0; place < text.size(); ++place) {
    if (text[place] == '\'') quoted_word = !quoted_word;
    if (quoted_word) continue;
    if ((static_cast<unsigned char>(text[place]) & 0x80U) != 0) return senseless(text, text.substr(place));
    if (text[place] == '(') ++depth;
    if (text[place] == ')') --depth;
    if (depth > kDeepestExpression) {
      return Refusal{fmt::format("in '{}': more than {} parentheses in each other", text, kDeepestExpression)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(ValueType type) {
  switch (type) {
    case ValueType::number:
      return "a number";
    case ValueType::size:
      return "a size";
    case ValueType::duration:
      return "a duration";
    case ValueType::word:
      return "a word";
    case ValueType::truth:
      return "a condition";
  }
  return {};
}

Value value_of(std::string_view text) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && rest == text.data() + text.size() && std::isfinite(number)) {
    return {ValueType::number, number};
  }
  if (const auto size = parse_size(text)) return {ValueType::size, static_cast<double>(size->count())};
  if (const auto duration = parse_duration(text)) return {ValueType::duration, static_cast<double>(duration->count())};
  return {ValueType::word, 0, std::string(text)};
}

Expected<std::string> spell(const Value& value) {
  switch (value.type) {
    case ValueType::word:
      return value.word;
    case ValueType::truth:
      return std::string(value.amount != 0 ? "true" : "false");
    case ValueType::number:
      if (!std::isfinite(value.amount)) return Refusal{"the result is no finite number"};
      return is_whole(value.amount) && std::abs(value.amount) < 1e15 ? fmt::format("{:.0f}", value.amount)
                                                                     : fmt::format("{}", value.amount);
    case ValueType::size:
    case ValueType::duration:
      break;
  }
  const bool size = value.type == ValueType::size;
  const double most = static_cast<double>(size ? kLargestSize.count() : kLongestDuration.count());
  if (!is_whole(value.amount) || value.amount < 0 || value.amount > most) {
    return Refusal{fmt::format("the result, {} {}, is not a whole number from 0 to {:.0f}", value.amount,
                               size ? "bytes" : "ns", most)};
  }
  const auto amount = static_cast<std::int64_t>(value.amount);
  return size ? spell(models::Bytes{amount}) : spell(sim::Nanoseconds{amount});
}

const std::vector<std::string>& statistic_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const NamedStatistic& statistic : kStatistics) all.emplace_back(statistic.name);
    return all;
  }();
  return names;
}

std::string to_text(const Measure& measure) {
  const std::string phase = measure.phase == "total" ? "" : "." + measure.phase;
  const std::string policy = measure.policy.empty() ? "" : ", " + measure.policy;
  return fmt::format("{}({}{}{})", measure.statistic, measure.class_name, phase, policy);
}

Expected<Expression> parse_expression(std::string_view text) {
  if (auto refusal = refuse_unseen(text)) return std::move(*refusal);
  Expression expression;
  auto position = text.begin();
  try {
    const bool parsed = x3::phrase_parse(position, text.end(), grammar::any_of, x3::space, expression);
    if (parsed && position == text.end()) return expression;
    const std::string_view rest = text.substr(static_cast<std::size_t>(position - text.begin()));
    if (rest.empty()) return Refusal{"expected an expression such as `region >= 1GiB`, found nothing"};
    return Refusal{fmt::format("in '{}': cannot make sense of '{}'", text, rest)};
  } catch (const x3::expectation_failure<std::string_view::iterator>& error) {
    const std::string rest = boost::algorithm::trim_copy(std::string(error.where(), text.end()));
    return Refusal{fmt::format("in '{}': expected {} {}", text, error.which(),
                               rest.empty() ? "at the end" : fmt::format("before '{}'", rest))};
  }
}

Expected<Measure> parse_measure(std::string_view text) {
  const auto expression = parse_expression(text);
  if (!expression) return Refusal{expression.message()};
  if (expression->kind != Expression::Kind::measure) {
    return Refusal{fmt::format("expected a measure such as p99(faulter.munlock), found '{}'", text)};
  }
  const auto type = type_of(*expression, {}, true);
  if (!type) return Refusal{type.message()};
  return expression->measure;
}

Expected<ValueType> type_of(const Expression& expression, const std::vector<KnownName>& names, bool measures_allowed) {
  switch (expression.kind) {
    case Expression::Kind::literal:
      return expression.value.type;
    case Expression::Kind::measure:
      return type_of_measure(expression.measure, measures_allowed);
    case Expression::Kind::name:
      if (const KnownName* const known = find_name(names, expression.text)) return known->type;
      return unknown_name(expression.text, names);
    case Expression::Kind::operation:
      break;
  }
  return type_of_operation(expression, names, measures_allowed);
}

std::vector<Measure> measures_of(const Expression& expression) {
  if (expression.kind == Expression::Kind::measure) return {expression.measure};
  std::vector<Measure> all;
  for (const Expression& operand : expression.operands) {
    const auto inner = measures_of(operand);
    all.insert(all.end(), inner.begin(), inner.end());
  }
  return all;
}

Evaluation evaluate(const Expression& expression, const Surroundings& surroundings) {
  switch (expression.kind) {
    case Expression::Kind::literal:
      return some(expression.value);
    case Expression::Kind::name:
      if (!surroundings.is_axis(expression.text)) return some({ValueType::word, 0, expression.text});
      return surroundings.name(expression.text);
    case Expression::Kind::measure: {
      const auto amount = surroundings.measure(expression.measure);
      if (!amount) return std::optional<Value>{};
      return some({expression.measure.statistic == "count" ? ValueType::number : ValueType::duration, *amount});
    }
    case Expression::Kind::operation:
      break;
  }
  return evaluate_operation(expression, surroundings);
}

Expected<bool> holds(const Expression& condition, const Surroundings& surroundings) {
  const Evaluation value = evaluate(condition, surroundings);
  if (!value) return Refusal{value.message()};
  return is_true(*value);
}

}  // namespace experiments

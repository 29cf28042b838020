#include "experiments/report/inline_svg.h"

#include <fmt/format.h>

#include <boost/algorithm/string/erase.hpp>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <pugixml.hpp>

#include <sstream>
#include <utility>

namespace experiments {

namespace {

bool is_black(std::string value) {
  boost::erase_all(value, " ");
  return value == "black" || value == "#000000" || value == "rgb(0,0,0)";
}

/// An attribute's value on the page.
std::string on_page(const std::string& name, const std::string& value, const std::string& prefix) {
  if (is_black(value)) return "currentColor";
  if (name == "id") return prefix + "-" + value;
  // `href` or, as gnuplot writes it, `xlink:href`: of something in the drawing itself.
  if (boost::ends_with(name, "href") && boost::starts_with(value, "#")) return "#" + prefix + "-" + value.substr(1);
  return boost::replace_all_copy(value, "url(#", "url(#" + prefix + "-");
}

/// Makes of each element what it is on the page.
class ForPage : public pugi::xml_tree_walker {
 public:
  explicit ForPage(std::string prefix) : prefix_(std::move(prefix)) {}

  bool for_each(pugi::xml_node& node) override {
    for (pugi::xml_attribute& attribute : node.attributes()) {
      attribute.set_value(on_page(attribute.name(), attribute.value(), prefix_).c_str());
    }
    while (node.remove_child("title") || node.remove_child("desc")) {
    }
    return true;
  }

 private:
  std::string prefix_;
};

/// gnuplot paints the whole canvas first, in the terminal's `background`.
void remove_background(pugi::xml_node svg) {
  const pugi::xml_node background =
      svg.find_node([](pugi::xml_node node) { return node.name() == std::string_view("rect"); });
  if (background.attribute("fill").value() == std::string_view("#ffffff")) background.parent().remove_child(background);
}

}  // namespace

std::variant<std::string, NotDrawn> inline_svg(std::string_view svg, const std::string& prefix,
                                               const std::string& label) {
  pugi::xml_document document;
  const pugi::xml_parse_result read =
      document.load_buffer(svg.data(), svg.size(), pugi::parse_default | pugi::parse_ws_pcdata, pugi::encoding_utf8);
  pugi::xml_node root = document.child("svg");
  if (!read || !root) return NotDrawn{fmt::format("gnuplot's drawing is no SVG: {}", read.description())};
  const std::string box = root.attribute("viewBox").value();
  root.remove_attributes();
  remove_background(root);
  ForPage for_page(prefix);
  for_page.for_each(root);
  root.traverse(for_page);
  root.append_attribute("role") = "img";
  root.append_attribute("aria-label") = label.c_str();
  root.append_attribute("viewBox") = box.c_str();
  std::ostringstream page;
  root.print(page, "", pugi::format_raw, pugi::encoding_utf8);
  return page.str();
}

}  // namespace experiments

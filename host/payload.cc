#include "host/payload.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace iq {

using nlohmann::json;

// A number with a fraction that is an object's member keeps its digits beside the tree: a double
// would lose them. They are found by the member's place, which does not change (an array's elements
// move).
using Digits = std::unordered_map<const json*, std::string>;

struct Payload::Document {
  json root;
  Digits digits;
  mutable std::map<std::string, std::string, std::less<>>
      texts;  // Of objects and arrays asked for.
};

namespace {

// Builds the tree and refuses what nlohmann's own builder would let through. Member names are those
// of nlohmann's SAX interface.
class StrictReader {
 public:
  StrictReader(json& root, Digits& digits) : root_(root), digits_(digits) {}

  bool null() { return Put(nullptr); }
  bool boolean(bool value) { return Put(value); }
  bool number_integer(json::number_integer_t value) { return Put(value); }
  bool number_unsigned(json::number_unsigned_t value) { return Put(value); }
  bool number_float(json::number_float_t value, const std::string& digits) {
    const bool member = !open_.empty() && open_.back().node->is_object();
    const json* node = Place(value);
    if (member) digits_[node] = digits;
    return true;
  }
  bool string(std::string& value) {
    RefuseNul(value);
    return Put(std::move(value));
  }
  bool binary(json::binary_t& /*value*/) { return false; }
  bool start_object(std::size_t /*elements*/) { return Enter(json::object()); }
  bool start_array(std::size_t /*elements*/) { return Enter(json::array()); }
  bool end_object() { return Leave(); }
  bool end_array() { return Leave(); }

  bool key(std::string& name) {
    RefuseNul(name);
    if (name.size() > Payload::kKeyBytesMax) {
      throw PayloadError(
          "schema", fmt::format("a member's name is longer than {} bytes", Payload::kKeyBytesMax));
    }
    if (open_.back().node->contains(name)) {
      throw PayloadError("malformed", fmt::format("duplicate key \"{}\"", name));
    }
    open_.back().key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const json::exception& error) {
    constexpr int kNumberOverflow = 406;
    if (error.id == kNumberOverflow) throw PayloadError("schema", "a number is out of range");
    throw PayloadError("malformed", fmt::format("not JSON at byte {}", position));
  }

 private:
  struct Level {
    json* node;
    std::string key;  // Of the member being read, in an object, until its value is placed.
  };

  static void RefuseNul(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
      throw PayloadError("malformed", "a string holds \\u0000");
    }
  }

  json* Place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back().node;
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &*parent.emplace(std::move(open_.back().key), std::move(value)).first;
  }

  bool Put(json value) {
    Place(std::move(value));
    return true;
  }

  bool Enter(json value) {
    if (open_.size() == Payload::kDepthMax) {
      throw PayloadError("malformed",
                         fmt::format("nested deeper than {} levels", Payload::kDepthMax));
    }
    json* node = Place(std::move(value));
    open_.push_back({node, {}});
    return true;
  }

  bool Leave() {
    open_.pop_back();
    return true;
  }

  json& root_;
  Digits& digits_;
  std::vector<Level> open_;
};

// Of an integer.
std::string WholeDigits(const json& number) {
  return number.is_number_unsigned() ? fmt::to_string(number.get<std::uint64_t>())
                                     : fmt::to_string(number.get<std::int64_t>());
}

const json* Step(const json& node, std::string_view name) {
  if (node.is_object()) {
    const auto member = node.find(name);
    return member == node.end() ? nullptr : &*member;
  }
  if (node.is_array()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error != std::errc{} || end != name.data() + name.size()) return nullptr;
    return index < node.size() ? &node[index] : nullptr;
  }
  return nullptr;
}

const json* Walk(const json& root, std::string_view path) {
  const json* node = &root;
  while (node != nullptr) {
    const auto dot = path.find('.');
    node = Step(*node, path.substr(0, dot));
    if (dot == std::string_view::npos) return node;
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

iq_str Borrow(const std::string& text) { return {text.data(), text.size()}; }

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Payload::Payload(std::unique_ptr<Document> document) : document_(std::move(document)) {}
Payload::Payload(Payload&&) noexcept = default;
Payload& Payload::operator=(Payload&&) noexcept = default;
Payload::~Payload() = default;

Payload Payload::Parse(std::string_view text) {
  // The lexer takes a NUL for the end of its input and skips a BOM.
  if (text.find('\0') != std::string_view::npos) {
    throw PayloadError("malformed", "a NUL byte");
  }
  if (text.starts_with("\xEF\xBB\xBF")) throw PayloadError("malformed", "a byte order mark");
  auto document = std::make_unique<Document>();
  StrictReader reader(document->root, document->digits);
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    throw PayloadError("malformed", "not JSON");
  }
  if (!document->root.is_object()) {
    throw PayloadError("schema", "the body is not a JSON object");
  }
  return Payload(std::move(document));
}

const json& Payload::root() const { return document_->root; }

const std::string* Payload::RootText(const char* key) const {
  const auto member = document_->root.find(key);
  return member == document_->root.end() ? nullptr : member->get_ptr<const std::string*>();
}

void Payload::ReadEmptyArrayAsObject(const char* key) {
  const auto member = document_->root.find(key);
  if (member != document_->root.end() && member->is_array() && member->empty()) {
    *member = json::object();
  }
}

iq_rc Payload::Get(std::string_view path, iq_value* out) const {
  *out = iq_value{};
  const json* node = Walk(document_->root, path);
  if (node == nullptr) return IQ_E_NOT_FOUND;
  switch (node->type()) {
    case json::value_t::null:
      out->type = IQ_NULL;
      break;
    case json::value_t::boolean:
      out->type = IQ_BOOL;
      out->u.i64 = node->get<bool>() ? 1 : 0;
      break;
    case json::value_t::number_unsigned:
      if (node->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
        out->type = IQ_DOUBLE;
        out->u.f64 = node->get<double>();
        break;
      }
      [[fallthrough]];
    case json::value_t::number_integer:
      out->type = IQ_INT64;
      out->u.i64 = node->get<std::int64_t>();
      break;
    case json::value_t::number_float:
      out->type = IQ_DOUBLE;
      out->u.f64 = node->get<double>();
      break;
    case json::value_t::string:
      out->type = IQ_TEXT;
      out->u.s = Borrow(*node->get_ptr<const std::string*>());
      break;
    default: {
      std::string& text = document_->texts[std::string(path)];
      if (text.empty()) text = node->dump();
      out->type = IQ_JSON;
      out->u.s = Borrow(text);
    }
  }
  return IQ_OK;
}

iq_rc Payload::GetDecimal(std::string_view path, std::uint32_t scale, std::int64_t* out) const {
  const json* node = Walk(document_->root, path);
  if (node == nullptr) return IQ_E_NOT_FOUND;
  std::optional<std::int64_t> parsed;
  if (const auto* text = node->get_ptr<const std::string*>()) {
    parsed = ParseDecimal(*text, scale);
  } else if (node->is_number_float()) {
    const auto digits = document_->digits.find(node);
    if (digits != document_->digits.end()) parsed = ParseDecimal(digits->second, scale);
  } else if (node->is_number()) {
    parsed = ParseDecimal(WholeDigits(*node), scale);
  }
  if (!parsed) return IQ_E_TYPE;
  *out = *parsed;
  return IQ_OK;
}

std::optional<std::int64_t> ParseDecimal(std::string_view text, std::uint32_t scale) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  if (!AllDigits(whole) || fraction.size() > scale) return std::nullopt;
  if (point != std::string_view::npos && !AllDigits(fraction)) return std::nullopt;

  std::string digits = negative ? "-" : "";
  digits.append(whole).append(fraction).append(scale - fraction.size(), '0');
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace iq

#include "host/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>

#include "host/base/json_text.h"
#include "host/base/terminal_text.h"

namespace iq::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string CellText(const Cell& cell) {
  struct Writer {
    std::string operator()(std::monostate) const { return {}; }
    std::string operator()(bool truth) const { return truth ? "yes" : "no"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(const std::string& text) const { return OneLine(text); }
    std::string operator()(const std::vector<std::string>& items) const {
      return OneLine(fmt::format("{}", fmt::join(items, ", ")));
    }
  };
  std::string text = std::visit(Writer{}, cell);
  return text.empty() ? "-" : text;
}

Json CellJson(const Cell& cell) {
  struct Writer {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(bool truth) const { return truth; }
    Json operator()(std::int64_t number) const { return number; }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(const std::vector<std::string>& items) const { return items; }
  };
  return std::visit(Writer{}, cell);
}

std::string Line(const Json& object) { return JsonText(object) + '\n'; }

// "journalRow" becomes "JOURNAL ROW".
std::string Title(std::string_view name) {
  std::string title;
  for (const char c : name) {
    const auto letter = static_cast<unsigned char>(c);
    if (std::isupper(letter) != 0) title += ' ';
    title += static_cast<char>(std::toupper(letter));
  }
  return title;
}

// In characters, each of them taken to be one column wide.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

// The last cell is not padded.
std::string AlignedLine(const std::vector<std::string>& cells,
                        const std::vector<std::size_t>& widths) {
  constexpr std::size_t kGap = 2;
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 < cells.size()) line.append(widths[i] - Width(cells[i]) + kGap, ' ');
  }
  return line + '\n';
}

}  // namespace

void Table::Add(std::vector<Cell> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string Table::Text() const {
  if (rows_.empty()) return {};
  std::vector<std::vector<std::string>> lines(1);
  for (const std::string& column : columns_) lines[0].push_back(Title(column));
  for (const std::vector<Cell>& row : rows_) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const Cell& cell : row) line.push_back(CellText(cell));
  }
  std::vector<std::size_t> widths(columns_.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], Width(line[i]));
  }
  std::string text;
  for (const auto& line : lines) text += AlignedLine(line, widths);
  return text;
}

std::string Table::JsonLines() const {
  std::string text;
  for (const std::vector<Cell>& row : rows_) {
    Json object = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i) object[columns_[i]] = CellJson(row[i]);
    text += Line(object);
  }
  return text;
}

std::string RecordText(const Record& record) {
  std::size_t width = 0;
  for (const auto& [name, cell] : record) width = std::max(width, Width(name));
  std::string text;
  for (const auto& [name, cell] : record) text += AlignedLine({name, CellText(cell)}, {width, 0});
  return text;
}

std::string RecordJson(const Record& record) {
  Json object = Json::object();
  for (const auto& [name, cell] : record) object[name] = CellJson(cell);
  return Line(object);
}

void Print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return;
  const int error = errno;
  if (error == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  throw std::system_error(error, std::generic_category(), "cannot write to standard output");
}

}  // namespace iq::cli

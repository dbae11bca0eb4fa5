// Rows and records as people read them, aligned, or as programs do, one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace iq::cli {

// Nothing, and text that is empty, shows as "-"; a list as its items with commas between.
using Cell =
    std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>>;

// One row with the names of its cells.
using Record = std::vector<std::pair<std::string, Cell>>;

class Table {
 public:
  // The names are the keys in JSON and, as words in capitals, the titles in text.
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void Add(std::vector<Cell> row);

  bool empty() const { return rows_.empty(); }

  // With a line of titles; nothing at all without rows.
  std::string Text() const;
  std::string JsonLines() const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// A line for each of its cells.
std::string RecordText(const Record& record);
// One line.
std::string RecordJson(const Record& record);

// To stdout, at once. Ends the process by SIGPIPE when nobody reads there any more, as other
// programs do. Throws std::system_error when it cannot be written.
void Print(std::string_view text);

}  // namespace iq::cli

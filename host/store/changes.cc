#include "host/store/changes.h"

#include <cctype>
#include <string>

namespace iq {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

}  // namespace

std::string_view AfterBlanksAndComments(std::string_view sql) {
  while (true) {
    const auto start = sql.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) return {};
    sql.remove_prefix(start);
    std::string_view end;
    if (sql.starts_with("--")) {
      end = "\n";
    } else if (sql.starts_with("/*")) {
      end =
          "*/";  // A nested comment leaves a rest that is no known verb, which counts as a change.
    } else {
      return sql;
    }
    const auto stop = sql.find(end);
    if (stop == std::string_view::npos) return {};
    sql.remove_prefix(stop + end.size());
  }
}

bool MayHaveChanged(std::string_view sql, std::uint64_t rows_met) {
  const std::string text = Upper(AfterBlanksAndComments(sql));
  const std::string_view verb =
      std::string_view(text).substr(0, text.find_first_of(" \t\r\n\f\v("));
  if (verb == "SELECT") {
    return text.find('(') != std::string::npos || text.find("INTO") != std::string::npos;
  }
  if (verb == "INSERT" || verb == "UPDATE" || verb == "DELETE") return rows_met > 0;
  return true;
}

}  // namespace iq

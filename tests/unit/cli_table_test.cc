#include "host/cli/table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace iq::cli {
namespace {

Table Example() {
  Table table({"id", "journalRow", "types"});
  table.Add({std::string("a"), std::int64_t{12}, std::vector<std::string>{"x", "y"}});
  table.Add({std::string("längst"), Cell(), std::vector<std::string>{}});
  table.Add({std::string(), true, std::vector<std::string>{"z"}});
  return table;
}

TEST(Table, AlignsColumnsByCharactersUnderTheirTitles) {
  EXPECT_EQ(Example().Text(),
            "ID      JOURNAL ROW  TYPES\n"
            "a       12           x, y\n"
            "längst  -            -\n"
            "-       yes          z\n");
}

TEST(Table, WritesOneJsonObjectALine) {
  EXPECT_EQ(Example().JsonLines(),
            "{\"id\":\"a\",\"journalRow\":12,\"types\":[\"x\",\"y\"]}\n"
            "{\"id\":\"längst\",\"journalRow\":null,\"types\":[]}\n"
            "{\"id\":\"\",\"journalRow\":true,\"types\":[\"z\"]}\n");
}

TEST(Table, PrintsNothingWithoutRows) {
  const Table table({"id"});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.Text(), "");
  EXPECT_EQ(table.JsonLines(), "");
}

TEST(Table, KeepsARowOnOneLineAndHarmless) {
  Table table({"id"});
  table.Add({std::string("a\n\x1b[31mb\xFF")});
  EXPECT_EQ(table.Text(), "ID\na\\x0a\\x1b[31mb\xEF\xBF\xBD\n");
  EXPECT_EQ(table.JsonLines(), "{\"id\":\"a\\n\\u001b[31mb\xEF\xBF\xBD\"}\n");
}

TEST(RecordText, AlignsTheCellsBehindTheirNames) {
  EXPECT_EQ(RecordText({{"id", std::string("a")}, {"attempts", std::int64_t{3}}}),
            "id        a\n"
            "attempts  3\n");
}

TEST(RecordJson, KeepsTheOrderOfTheCells) {
  EXPECT_EQ(RecordJson({{"b", std::string("x")}, {"a", false}}), "{\"b\":\"x\",\"a\":false}\n");
}

}  // namespace
}  // namespace iq::cli

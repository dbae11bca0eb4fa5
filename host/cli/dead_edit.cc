// iq dead retry --edit: one letter goes back with the body that the user's editor makes of it.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>

#include "host/base/temporary_directory.h"
#include "host/base/terminal_text.h"
#include "host/cli/dead.h"
#include "host/cli/dead_report.h"
#include "host/cli/text_editor.h"
#include "host/cli/verbs.h"
#include "host/dead/dead_edit.h"

namespace iq::cli {
namespace {

std::string ReadAll(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw NotEdited(fmt::format("{} cannot be read", file.string()));
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Editors end a text with a newline.
std::string WithoutAddedNewline(std::string text, const std::string& before) {
  if (text.ends_with('\n') && !before.ends_with('\n')) text.pop_back();
  return text;
}

// What the user makes of `body` in `file`.
std::string AskEditor(const std::string& body, const std::filesystem::path& file) {
  std::ofstream stream(file, std::ios::binary);
  if (!(stream << body).flush()) {
    throw NotEdited(fmt::format("{} cannot be written", file.string()));
  }
  const int status = EditFile(file);
  if (status != 0) throw NotEdited(fmt::format("the editor ended with status {}", status));
  std::string edited = WithoutAddedNewline(ReadAll(file), body);
  if (edited == body) throw NotEdited("the body was not changed");
  return edited;
}

int Refused(const NotEdited& why, const std::string& id) {
  fmt::print(stderr, "iq: {}: {}; nothing was changed\n", OneLine(id), why.what());
  return kFailed;
}

}  // namespace

int EditDead(const Config& config, const std::string& id, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  TemporaryDirectory directory("edit");
  const std::filesystem::path file = directory.path() / "body.json";
  std::optional<DeadLetter> letter;
  std::string body;
  try {
    letter = FindDeadLetter(config, *broker, id);
    if (!letter) {
      PrintUnmet(config.dead_letter.queue, id, /*filtered=*/false);
      return kFailed;
    }
    body = AskEditor(letter->delivery.message.body, file);
  } catch (const NotEdited& why) {
    return Refused(why, id);
  }
  directory.Keep();  // What somebody has written is not thrown away because it does not fit.
  try {
    PrintRetried(RetryEdited(config, *broker, *letter, body), json);
    std::error_code ignored;
    std::filesystem::remove_all(directory.path(), ignored);
    return kDone;
  } catch (const NotEdited& why) {
    return Refused(NotEdited(fmt::format("{}; your text is in {}", why.what(), file.string())), id);
  } catch (const std::exception&) {
    fmt::print(stderr, "iq: {}: your text is in {}\n", OneLine(id), file.string());
    throw;
  }
}

}  // namespace iq::cli

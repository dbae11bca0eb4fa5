// iq token: makes a token for the page, of which the configuration holds only the SHA-256 sum.
#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "host/base/digest.h"
#include "host/base/error.h"
#include "host/base/terminal_text.h"
#include "host/cli/table.h"
#include "host/cli/verbs.h"
#include "host/config_text.h"

namespace iq::cli {
namespace {

struct TokenOptions {
  std::string name;
  std::string may = "read";
};

// Without padding.
std::string Base64Url(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr unsigned kDigitBits = 6;
  std::string text;
  std::uint32_t bits = 0;
  unsigned held = 0;  // How many of them are not written yet.
  for (const unsigned char byte : bytes) {
    bits = (bits << 8U) | byte;
    for (held += 8; held >= kDigitBits; held -= kDigitBits) {
      text += kDigits[(bits >> (held - kDigitBits)) & 63U];
    }
  }
  if (held > 0) text += kDigits[(bits << (kDigitBits - held)) & 63U];
  return text;
}

std::string NewToken() {
  std::array<unsigned char, 32> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::system_error(errno, std::generic_category(), "the system gives no random bytes");
  }
  return Base64Url(bytes);
}

std::string ForPeople(const TokenOptions& options, const std::string& token,
                      const std::string& sha256) {
  return fmt::format(
      "The token, which is kept nowhere and not shown again:\n"
      "\n"
      "  {}\n"
      "\n"
      "Below admin.tokens in the configuration:\n"
      "\n"
      "    - name: \"{}\"\n"
      "      sha256: {}\n"
      "      may: {}\n"
      "\n"
      "Or, for the entry of the shipped configuration, in the environment:\n"
      "\n"
      "  IQ_ADMIN_TOKEN_SHA256={}\n",
      token, options.name, sha256, options.may, sha256);
}

int MakeToken(const TokenOptions& options, bool json) {
  if (!IsTokenName(options.name)) {
    throw UsageError(
        fmt::format("token: \"{}\" is no name for a token; write 1 to 64 letters, digits, dots, "
                    "hyphens and underscores",
                    OneLine(options.name)));
  }
  const std::string token = NewToken();
  const std::string sha256 = Sha256Hex(token);
  Print(json ? RecordJson({{"name", options.name},
                           {"may", options.may},
                           {"token", token},
                           {"sha256", sha256}})
             : ForPeople(options, token, sha256));
  return kDone;
}

}  // namespace

void AddToken(CLI::App& app, Invocation& invocation) {
  CLI::App* verb =
      AddVerb(app, invocation, "token", "Make a token to use the page with", Rows::kYes);
  const auto options = std::make_shared<TokenOptions>();
  verb->add_option("NAME", options->name, "What the audit calls whoever sends it")->required();
  verb->add_option("--may", options->may, "read: look at everything; write: act as well")
      ->check(CLI::IsMember({"read", "write"}))
      ->capture_default_str();
  verb->callback([&invocation, options] {
    invocation.work = [&invocation, options] { return MakeToken(*options, invocation.json); };
  });
}

}  // namespace iq::cli

#include "bench/contender.h"

#include <fmt/format.h>

#include <stdexcept>

namespace iq::bench {
namespace {

constexpr const char* kProgram = IQ_BINARY_DIR "/iq";
constexpr const char* kFloor = IQ_BINARY_DIR "/iq_floor";
constexpr const char* kConfig = IQ_SOURCE_DIR "/config.yaml";
constexpr const char* kPeers = IQ_SOURCE_DIR "/bench/peers/";

std::string Counted(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : noun[0] == 'p' ? "es" : "s");
}

}  // namespace

Contender Iq(std::size_t processes, test::ProfileName profile) {
  const bool embedded = profile == test::ProfileName::kEmbedded;
  constexpr double kEmbeddedShare = 0.5;
  return {.name = embedded ? "iq embedded" : "iq",
          .setting = Counted(processes, "process"),
          .profile = profile,
          .argv = {kProgram, "run", "--config", kConfig},
          .processes = processes,
          .share = embedded ? kEmbeddedShare : 1};
}

Contender Peer(const std::string& name, std::size_t concurrency) {
  if (name == "floor") {
    return {.name = name,
            .setting = Counted(concurrency, "process"),
            .argv = {kFloor},
            .processes = concurrency};
  }
  const auto with_run = [&](const char* noun, double share) {
    return Contender{.name = name,
                     .setting = Counted(concurrency, noun),
                     .argv = {kPeers + name + "/run", std::to_string(concurrency)},
                     .share = share};
  };
  if (name == "go") return with_run("goroutine", 0.2);
  if (name == "symfony") return with_run("process", 0.2);
  if (name == "celery") return with_run("process", 0.1);
  throw std::invalid_argument("there is no contender " + name);
}

}  // namespace iq::bench

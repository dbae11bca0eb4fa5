#include "host/check/stand_in_host.h"

#include <filesystem>

namespace iq::check {
namespace {

constexpr const char* kMessageId = "5a4a7d9c-8e5e-4b57-9d0c-3f1f0b1f3c55";

// Whatever the rights of the file and of the folder that its author keeps it in.
std::string PrivateFolderWith(const Subject& subject) {
  const auto folder = std::filesystem::path(subject.folder) / "plugins";
  if (std::filesystem::create_directory(folder)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
    const auto copy = folder / "checked.so";
    std::filesystem::copy_file(subject.file, copy);
    std::filesystem::permissions(copy, std::filesystem::perms::owner_all);
  }
  return folder;
}

Config ConfigFor(const Subject& subject) {
  Config config;
  config.plugins.directory = PrivateFolderWith(subject);
  config.plugins.live = (std::filesystem::path(subject.folder) / "live").string();
  config.plugins.settings = subject.settings;
  return config;
}

}  // namespace

LoadedPlugin::LoadedPlugin(const Subject& subject)
    : config_(ConfigFor(subject)), directory_(std::make_unique<PluginDirectory>(config_.plugins)) {
  const PluginFile file = directory_->files().at(0);
  if (file.plugin == nullptr) {
    // The sentence begins with the name of the copy, which nobody knows.
    throw PluginRefused(file.reason.substr(file.file.size() + std::string_view(": ").size()));
  }
  plugin_ = file.plugin;
}

StandInHost::StandInHost(const LoadedPlugin& loaded, const Subject& subject,
                         const std::string& name)
    : loaded_(loaded),
      store_(OpenStore("sqlite:" + subject.folder + "/" + name + ".db")),
      session_(store_->Open(loaded.config().limits.deadline)) {
  for (const std::string& script : subject.tables) session_->RunScript(script);
}

Delivery StandInHost::Deliver(const std::string& body) {
  Delivery delivery;
  delivery.message.body = body;
  delivery.message.message_id = kMessageId;
  return delivery;
}

Bus& StandInHost::BusFor(const std::string& listener) {
  std::unique_ptr<Bus>& bus = buses_[listener];
  if (bus == nullptr) {
    bus = std::make_unique<Bus>(loaded_.directory(), loaded_.config().limits,
                                std::chrono::system_clock::now, nullptr, listener);
  }
  return *bus;
}

void StandInHost::Restart() { buses_.clear(); }

StandInHost::Ended StandInHost::Run(Decoded decoded, Bus& bus, Until until) {
  if (const auto* refusal = std::get_if<Refusal>(&decoded)) {
    return {Verdict::Of(Outcome::kInvalid, refusal->code, refusal->reason), {}};
  }
  Command& command = *std::get<std::unique_ptr<Command>>(decoded);
  if (auto refused = bus.Admit(command)) return {std::move(*refused), {}};
  Ended ended{{}, command.keys};
  if (until == Until::kPlanned) return ended;
  session_->Begin();
  ended.verdict = bus.Handle(command, *session_).verdict;
  session_->Rollback();
  return ended;
}

StandInHost::Ended StandInHost::Plan(const std::string& body) {
  return Run(Decode(Deliver(body), loaded_.config()), BusFor({}), Until::kPlanned);
}

StandInHost::Ended StandInHost::Handle(const std::string& body) {
  return Run(Decode(Deliver(body), loaded_.config()), BusFor({}), Until::kHandled);
}

StandInHost::Ended StandInHost::HandleEvent(const std::string& listener, const std::string& body) {
  return Run(DecodeEvent(Deliver(body), listener, loaded_.config()), BusFor(listener),
             Until::kHandled);
}

}  // namespace iq::check

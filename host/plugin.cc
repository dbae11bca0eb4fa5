#include "host/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstring>

#include "host/base/log.h"
#include "host/plugin_inspection.h"
#include "host/schema.h"
#include "host/services.h"
#include "host/version.h"

namespace iq {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kTypeBytesMax = 255;
constexpr std::size_t kPatternBytesMax = 255;

std::string_view View(iq_str text) { return {text.ptr, text.ptr == nullptr ? 0 : text.len}; }

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

// A table as this host knows it, whatever size its writer knew.
template <typename Table>
Table CopyTable(const Table* written) {
  Table table{};
  std::memcpy(&table, written, std::min<std::size_t>(written->struct_size, sizeof table));
  return table;
}

// The ABI lets no exception through.
template <typename Call>
auto Contain(const std::string& file, std::string_view what, Call call) {
  try {
    return call();
  } catch (const std::exception& error) {
    throw PluginRefused(fmt::format("{}: its {} throws: {}", file, what, error.what()));
  } catch (...) {
    throw PluginRefused(fmt::format("{}: its {} throws", file, what));
  }
}

}  // namespace

struct Plugin::Library {
  boost::dll::shared_library handle;
};

// The table is the plugin's handle on itself: the host's functions find their way back through it.
struct Plugin::Face : iq_host {
  const Plugin* plugin = nullptr;

  static const Plugin& Of(const iq_host* host) { return *static_cast<const Face*>(host)->plugin; }

  static void Log(const iq_host* host, iq_context* context, uint32_t level, iq_str message) {
    log::About about{.plugin = Of(host).name()};
    if (context != nullptr) DescribeContext(*context, &about);
    const auto known = std::min<uint32_t>(level, IQ_LOG_ERROR);
    log::Write(static_cast<log::Level>(known), View(message), about);
  }

  static iq_rc Setting(const iq_host* host, iq_str key, iq_str* out) {
    const auto setting = Of(host).settings().find(std::string(View(key)));
    if (setting == Of(host).settings().end()) return IQ_E_NOT_FOUND;
    *out = {setting->second.data(), setting->second.size()};
    return IQ_OK;
  }

  static const void* GetService(const iq_host* /*host*/, iq_str /*id*/) { return nullptr; }

  explicit Face(const Plugin* owner) : iq_host{}, plugin(owner) {
    struct_size = sizeof(iq_host);
    abi_major = IQ_ABI_MAJOR;
    abi_minor = IQ_ABI_MINOR;
    version = {kVersion.data(), kVersion.size()};
    core = &CoreServices();
    log = &Log;
    setting = &Setting;
    get_service = &GetService;
  }
};

static_assert(static_cast<uint32_t>(log::Level::kError) == IQ_LOG_ERROR);

Plugin::Plugin(PluginImage image)
    : image_(std::move(image)),
      library_(std::make_unique<Library>()),
      face_(std::make_unique<Face>(this)),
      trial_(std::make_unique<PluginTrial>()) {}

Plugin::~Plugin() {
  if (initialised_ && table_.shutdown != nullptr) table_.shutdown();
}

const iq_host* Plugin::host() const { return face_.get(); }

const void* Plugin::Extension(std::string_view id) const {
  if (table_.get_extension == nullptr) return nullptr;
  return Contain(file(), "get_extension", [&] {
    return table_.get_extension({id.data(), id.size()});
  });
}

void Plugin::ReadTable(const iq_plugin* written) {
  if (written == nullptr)
    throw PluginRefused(fmt::format("{}: {} returns nothing", file(), IQ_ENTRY_POINT));
  if (written->struct_size < offsetof(iq_plugin, abi_minor_built)) {
    throw PluginRefused(fmt::format("{}: its table is too short to say its ABI", file()));
  }
  table_ = CopyTable(written);
  if (const auto fault = AbiFault(table_.abi_major, table_.abi_minor_least)) {
    throw PluginRefused(fmt::format("{}: {}", file(), *fault));
  }
  name_ = View(table_.name);
  version_ = View(table_.version);
  if (!IsPlainName(name_) || version_.empty()) {
    throw PluginRefused(fmt::format("{}: it has no usable name and version", file()));
  }
  ReadCommands();
  ReadListeners();
  if (commands_.empty() && listeners_.empty()) {
    throw PluginRefused(fmt::format("{}: it offers no command type and no listener", file()));
  }
}

void Plugin::ReadCommands() {
  for (uint32_t i = 0; table_.commands != nullptr && i < table_.command_count; ++i) {
    if (table_.commands[i] == nullptr) continue;
    const iq_command_type type = CopyTable(table_.commands[i]);
    const std::string_view name = View(type.type);
    if (name.empty() || name.size() > kTypeBytesMax || type.handle == nullptr) {
      throw PluginRefused(
          fmt::format("{}: its command type {} has no name or no handler", file(), i));
    }
    try {
      if (type.schema.len != 0) Schema(View(type.schema));
    } catch (const std::invalid_argument& error) {
      throw PluginRefused(fmt::format("{}: type \"{}\": {}", file(), name, error.what()));
    }
    commands_.push_back(type);
  }
}

void Plugin::ReadListeners() {
  for (uint32_t i = 0; table_.listeners != nullptr && i < table_.listener_count; ++i) {
    if (table_.listeners[i] == nullptr) continue;
    const iq_listener listener = CopyTable(table_.listeners[i]);
    const std::string_view name = View(listener.name);
    const std::string_view pattern = View(listener.pattern);
    if (!IsPlainName(name) || listener.on_event == nullptr) {
      throw PluginRefused(
          fmt::format("{}: its listener {} has no usable name or no on_event", file(), i));
    }
    if (pattern.empty() || pattern.size() > kPatternBytesMax) {
      throw PluginRefused(
          fmt::format("{}: its listener \"{}\" has no usable pattern", file(), name));
    }
    iq_command_type face{};
    face.struct_size = sizeof face;
    face.create = listener.create;
    face.destroy = listener.destroy;
    face.plan = listener.plan;
    face.handle = listener.on_event;
    listeners_.push_back({fmt::format("{}.{}", name_, name), std::string(pattern), face});
  }
}

std::shared_ptr<Plugin> Plugin::Map(PluginImage image,
                                    const std::map<std::string, Settings>& settings_by_plugin) {
  std::shared_ptr<Plugin> plugin(new Plugin(std::move(image)));
  boost::dll::shared_library& library = plugin->library_->handle;
  try {
    // Boost.DLL has no name for RTLD_NODELETE.
    constexpr auto kMode =
        static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    library.load(boost::filesystem::absolute(plugin->image_.path), kMode);
  } catch (const std::exception& error) {
    throw PluginRefused(fmt::format("{}: the loader refuses it: {}", plugin->file(), error.what()));
  }
  if (!library.has(IQ_ENTRY_POINT)) {
    throw PluginRefused(fmt::format("{}: {}", plugin->file(), kNoEntryPoint));
  }
  const auto entry_point = library.get<const iq_plugin*()>(IQ_ENTRY_POINT);
  plugin->ReadTable(Contain(plugin->file(), "entry point", entry_point));
  const auto settings = settings_by_plugin.find(plugin->name_);
  if (settings != settings_by_plugin.end()) plugin->settings_ = settings->second;
  return plugin;
}

void Plugin::Init() {
  if (table_.init != nullptr) {
    const iq_rc rc = Contain(file(), "init", [this] { return table_.init(host()); });
    if (rc < 0) throw PluginRefused(fmt::format("{}: its init failed with {}", file(), rc));
  }
  initialised_ = true;
}

}  // namespace iq

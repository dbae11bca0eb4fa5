// The C++20 face of abi.h: what a plugin includes. Header-only, and nothing but the standard
// library.
//
//   struct Greet {
//     static constexpr std::string_view kType = "greet";
//     void Plan(const iq::Command& command, iq::Plan& plan) { plan.Lock("user:", …); }
//     void Handle(const iq::Command& command, iq::Context& context) { … }
//   };
//   IQ_PLUGIN("greet", "1.0.0", Greet)
//
// A handler is a class with kType and Handle. Optional:
//   static constexpr std::string_view kSchema    JSON Schema (draft 7) of the body; without it, any
//                                                object passes.
//   explicit Handler(const iq::Host&)            for settings; otherwise it is default-constructed.
//                                                The reference stays valid as long as the handler.
//   void Plan(const Command&, Plan&)             names lock keys, and throws iq::Invalid for what a
//                                                schema cannot say. Without it, no locks.
//   void HandleBatch(std::span<const Command>, BatchContext&)
//                                                set-based, with exactly the meaning of Handle for
//                                                each command, in their order.
//   static constexpr bool kBatchSharesKeys = true
//                                                HandleBatch takes commands that share lock keys,
//                                                too, so that all of a busy user are one call. An
//                                                UPDATE … FROM unnest(…) will not do for those: it
//                                                changes a row once, however many name it. Read
//                                                the rows FOR UPDATE, decide one command after the
//                                                other, and write once.
//   static constexpr std::string_view kEvents    the events it may emit, for `iq asyncapi`: a JSON
//                                                object of their names and, for each, the JSON
//                                                Schema of its data; "{}" for none. Once one part
//                                                of a plugin says so, the others count as emitting
//                                                none unless they say, too.
//
// A listener is a class with kName, kPattern and OnEvent, for what is to follow from an event, its
// own plugin's or another's, after the commit and at least once. It needs IQ_USE_MINOR 1 or later
// defined before this file is included.
//   static constexpr std::string_view kName      With the plugin's name it names its queue.
//   static constexpr std::string_view kPattern   "balance.*": see iq_listener in abi.h.
//   void OnEvent(const iq::Event&, iq::Context&)
// Optional, as for a handler: the constructor from iq::Host, Plan(const Event&, Plan&) and kEvents.
//
// Each worker thread has one object of each of them, so members need no mutex; statics do. Handle,
// HandleBatch and OnEvent may run several times before one run is committed, so a handler changes
// nothing but through its context, and keeps nothing about a command in its members.
//
// Returning is success. Throw iq::Reject, iq::Retry or iq::Invalid for anything else (error.h);
// std::bad_alloc is a Retry, and every other exception is a fault of the handler: undone, reported,
// and tried again a limited number of times.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include <cxxabi.h>

#include <iq/abi.h>
#include <iq/command.h>
#include <iq/context.h>
#include <iq/error.h>
#include <iq/event.h>
#include <iq/extension.h>
#include <iq/json.h>
#include <iq/manifest.h>
#include <iq/value.h>

namespace iq::detail {

template <typename H>
concept Handles = requires(H handler, const Command& command, Context& context) {
  {std::string_view(H::kType)};
  handler.Handle(command, context);
};

template <typename H>
concept HasSchema = requires {
  std::string_view(H::kSchema);
};

template <typename L>
concept Listens = requires(L listener, const Event& event, Context& context) {
  {std::string_view(L::kName)};
  {std::string_view(L::kPattern)};
  listener.OnEvent(event, context);
};

// What a handler or a listener is given to look at.
template <typename H>
using Seen = std::conditional_t<Listens<H>, Event, Command>;

template <typename H>
concept Plans = requires(H handler, const Seen<H>& seen, Plan& plan) {
  handler.Plan(seen, plan);
};

template <typename H>
concept HandlesBatches = requires(H handler, std::span<const Command> commands,
                                  BatchContext& batch) {
  handler.HandleBatch(commands, batch);
};

template <typename H>
concept SharesKeys = requires {
  requires H::kBatchSharesKeys;
};

// What the host's `handler` pointer points to.
template <typename H>
struct Instance {
  explicit Instance(const iq_host& raw) : host(raw), handler(Make(host)) {}

  static H Make(const Host& host) {
    if constexpr (std::constructible_from<H, const Host&>) {
      return H(host);
    } else {
      return H();
    }
  }

  Host host;
  H handler;
};

// Runs `call` and turns whatever it throws into an outcome; `fail(code, reason)` tells the host
// why. A thread's cancellation (__forced_unwind) is no exception of ours, and passes.
template <typename Call, typename Fail, typename HostFailed>
iq_outcome Outcome(Call call, Fail fail, HostFailed host_failed) {
  try {
    call();
    return IQ_DONE;
  } catch (const Reject& error) {
    fail(error.code(), error.what());
    return IQ_REJECT;
  } catch (const Retry& error) {
    fail(error.code(), error.what());
    return IQ_RETRY;
  } catch (const Invalid& error) {
    fail("schema", error.what());
    return IQ_INVALID;
  } catch (const HostCallFailed& error) {
    host_failed(error);
    return IQ_FATAL;
  } catch (const std::bad_alloc&) {
    fail("out_of_memory", "the handler ran out of memory");
    return IQ_RETRY;
  } catch (const std::exception& error) {
    fail("handler_error", error.what());
    return IQ_FATAL;
#ifdef __GLIBCXX__
  } catch (const abi::__forced_unwind&) {
    throw;
#endif
  } catch (...) {
    fail("handler_error", "the handler threw something that is no std::exception");
    return IQ_FATAL;
  }
}

template <typename H>
iq_rc CreateHandler(const iq_host* host, void** out) {
  const auto complain = [host](std::string_view /*code*/, std::string_view reason) {
    Host(*host).Log(LogLevel::kError, reason);
  };
  const iq_outcome outcome =
      Outcome([&] { *out = std::make_unique<Instance<H>>(*host).release(); }, complain,
              [&](const HostCallFailed& error) { complain({}, error.what()); });
  if (outcome == IQ_DONE) return IQ_OK;
  return outcome == IQ_RETRY ? IQ_E_UNAVAILABLE : IQ_E_INVALID;
}

template <typename H>
void DestroyHandler(void* handler) {
  delete static_cast<Instance<H>*>(handler);
}

template <typename H>
iq_outcome PlanCommand(void* handler, const iq_command* command, iq_plan* plan) {
  auto& instance = *static_cast<Instance<H>*>(handler);
  const iq_core& core = instance.host.core();
  const auto fail = [&](std::string_view code, std::string_view reason) {
    const auto plan_fail = Read(core, &iq_core::plan_fail);
    if (plan_fail != nullptr) plan_fail(plan, Borrow(code), Borrow(reason));
  };
  return Outcome(
      [&] {
        iq::Plan keys(core, plan);
        instance.handler.Plan(Seen<H>(core, *command), keys);
      },
      fail, [&](const HostCallFailed& error) { fail("handler_error", error.what()); });
}

template <typename H>
iq_outcome HandleCommand(void* handler, const iq_command* command, iq_context* context) {
  auto& instance = *static_cast<Instance<H>*>(handler);
  const iq_core& core = instance.host.core();
  const auto fail = [&](std::string_view code, std::string_view reason) {
    const auto host_fail = Read(core, &iq_core::fail);
    if (host_fail != nullptr) host_fail(context, Borrow(code), Borrow(reason));
  };
  // What the host says of the failure is better than anything known here.
  const auto host_failed = [&](const HostCallFailed& error) {
    const auto last_error = Read(core, &iq_core::last_error);
    const auto reason = last_error == nullptr ? iq_str{} : last_error(context);
    fail("handler_error", reason.len == 0 ? std::string_view(error.what()) : View(reason));
  };
  const auto handle = [&] {
    Context face(instance.host, context);
    try {
      if constexpr (Listens<H>) {
        instance.handler.OnEvent(Event(core, *command), face);
      } else {
        instance.handler.Handle(Command(core, *command), face);
      }
    } catch (const Invalid& error) {
      throw std::runtime_error(error.what());  // Plan has passed it: not the message's fault.
    }
  };
  return Outcome(handle, fail, host_failed);
}

template <typename H>
iq_outcome HandleCommands(void* handler, const iq_command* const* commands,
                          iq_context* const* contexts, iq_outcome* outcomes, std::uint32_t count) {
  auto& instance = *static_cast<Instance<H>*>(handler);
  const auto handle = [&] {
    std::vector<Command> views;
    views.reserve(count);
    for (const iq_command* command : std::span(commands, count)) {
      views.emplace_back(instance.host.core(), *command);
    }
    BatchContext batch(instance.host, {contexts, count}, {outcomes, count});
    try {
      instance.handler.HandleBatch(std::span<const Command>(views), batch);
    } catch (const BatchContext::Discarded&) {
      throw Retry("discarded", "");
    }
  };
  // Each command will say for itself what is wrong with it; only a fault would stay unknown.
  const auto fail = [&](std::string_view code, std::string_view reason) {
    if (code == "handler_error") instance.host.Log(LogLevel::kWarn, reason);
  };
  return Outcome(handle, fail, [](const HostCallFailed&) {});
}

consteval iq_str Literal(std::string_view text) { return {text.data(), text.size()}; }

template <Handles H>
consteval iq_command_type MakeCommandType() {
  iq_command_type type{};
  type.struct_size = sizeof(iq_command_type);
  type.type = Literal(H::kType);
  if constexpr (HasSchema<H>) type.schema = Literal(H::kSchema);
  type.create = &CreateHandler<H>;
  type.destroy = &DestroyHandler<H>;
  if constexpr (Plans<H>) type.plan = &PlanCommand<H>;
  type.handle = &HandleCommand<H>;
  if constexpr (HandlesBatches<H>) type.handle_batch = &HandleCommands<H>;
  if constexpr (SharesKeys<H>) {
    static_assert(HandlesBatches<H>, "kBatchSharesKeys says something of HandleBatch");
    type.flags |= IQ_BATCH_SHARES_KEYS;
  }
  return type;
}

template <typename H>
inline constexpr iq_command_type kCommandType = MakeCommandType<H>();

#if IQ_USE_MINOR >= 1
template <Listens L>
consteval iq_listener MakeListener() {
  iq_listener listener{};
  listener.struct_size = sizeof(iq_listener);
  listener.name = Literal(L::kName);
  listener.pattern = Literal(L::kPattern);
  listener.create = &CreateHandler<L>;
  listener.destroy = &DestroyHandler<L>;
  if constexpr (Plans<L>) listener.plan = &PlanCommand<L>;
  listener.on_event = &HandleCommand<L>;
  return listener;
}

template <typename L>
inline constexpr iq_listener kListener = MakeListener<L>();
#endif

template <typename... Parts>
inline constexpr std::size_t kHandlerCount = (0 + ... + (Handles<Parts> ? 1 : 0));

// The tables of those parts that are handlers, in their order, and of those that are listeners.
template <typename... Parts>
consteval auto MakeCommandTypes() {
  std::array<const iq_command_type*, kHandlerCount<Parts...>> types{};
  std::size_t end = 0;
  const auto add = [&]<typename Part>() {
    if constexpr (Handles<Part>) types[end++] = &kCommandType<Part>;
  };
  (add.template operator()<Parts>(), ...);
  return types;
}

template <typename... Parts>
inline constexpr auto kCommandTypes = MakeCommandTypes<Parts...>();

#if IQ_USE_MINOR >= 1
template <typename... Parts>
consteval auto MakeListeners() {
  std::array<const iq_listener*, sizeof...(Parts) - kHandlerCount<Parts...>> listeners{};
  std::size_t end = 0;
  const auto add = [&]<typename Part>() {
    if constexpr (Listens<Part>) listeners[end++] = &kListener<Part>;
  };
  (add.template operator()<Parts>(), ...);
  return listeners;
}

template <typename... Parts>
inline constexpr auto kListeners = MakeListeners<Parts...>();
#endif

template <typename... Parts>
consteval iq_plugin MakePlugin(std::string_view name, std::string_view version) {
  static_assert(sizeof...(Parts) > 0, "a plugin has at least one handler or listener");
  static_assert(((Handles<Parts> != Listens<Parts>)&&...),
                "a handler has kType and Handle, a listener kName, kPattern and OnEvent");
  iq_plugin plugin{};
  plugin.struct_size = sizeof(iq_plugin);
  plugin.abi_major = IQ_ABI_MAJOR;
  plugin.abi_minor_least = IQ_USE_MINOR;
  plugin.abi_minor_built = IQ_ABI_MINOR;
  plugin.name = Literal(name);
  plugin.version = Literal(version);
  plugin.commands = kCommandTypes<Parts...>.data();
  plugin.command_count = kHandlerCount<Parts...>;
  if constexpr ((SaysItsEvents<Parts> || ...)) plugin.get_extension = &GetExtension<Parts...>;
#if IQ_USE_MINOR >= 1
  plugin.listeners = kListeners<Parts...>.data();
  plugin.listener_count = sizeof...(Parts) - kHandlerCount<Parts...>;
#else
  static_assert(kHandlerCount<Parts...> == sizeof...(Parts),
                "a listener needs #define IQ_USE_MINOR 1 before <iq/plugin.h>");
#endif
  return plugin;
}

}  // namespace iq::detail

// The plugin's entry point and its manifest; once, outside of any namespace. `name` is
// lower_snake_case or kebab-case, at most 64 bytes; then the version, and handlers and listeners.
#define IQ_PLUGIN(name, version, ...)                                                           \
  IQ_MANIFEST_ATTRIBUTES constinit const auto kIqPluginNote =                                   \
      ::iq::detail::MakeNote<::iq::detail::NoteBytes<__VA_ARGS__>(name, version), __VA_ARGS__>( \
          name, version);                                                                       \
  IQ_EXPORT const iq_plugin* iq_plugin_v1(void) {                                               \
    static constexpr iq_plugin kPlugin = ::iq::detail::MakePlugin<__VA_ARGS__>(name, version);  \
    return &kPlugin;                                                                            \
  }

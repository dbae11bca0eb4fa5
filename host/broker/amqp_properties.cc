#include "host/broker/amqp_properties.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>

namespace iq {
namespace {

constexpr int kDepthMax = 32;

HeaderValue ReadField(const amqp_field_value_t& field, int depth);

HeaderValue::Table ReadTable(const amqp_table_t& table, int depth) {
  HeaderValue::Table result;
  for (int i = 0; i < table.num_entries; ++i) {
    const auto& entry = table.entries[i];
    result.insert_or_assign(CopyBytes(entry.key), ReadField(entry.value, depth));
  }
  return result;
}

HeaderValue::List ReadArray(const amqp_array_t& array, int depth) {
  HeaderValue::List result;
  for (int i = 0; i < array.num_entries; ++i) {
    result.push_back(ReadField(array.entries[i], depth));
  }
  return result;
}

HeaderValue ReadUnsigned(std::uint64_t number) {
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return {static_cast<double>(number)};
  }
  return {static_cast<std::int64_t>(number)};
}

HeaderValue ReadNested(const amqp_field_value_t& field, int depth) {
  if (depth >= kDepthMax) return {};
  if (field.kind == AMQP_FIELD_KIND_TABLE) return {ReadTable(field.value.table, depth + 1)};
  return {ReadArray(field.value.array, depth + 1)};
}

HeaderValue ReadField(const amqp_field_value_t& field, int depth) {
  const auto& value = field.value;
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      return {value.boolean != 0};
    case AMQP_FIELD_KIND_I8:
      return {std::int64_t{value.i8}};
    case AMQP_FIELD_KIND_U8:
      return {std::int64_t{value.u8}};
    case AMQP_FIELD_KIND_I16:
      return {std::int64_t{value.i16}};
    case AMQP_FIELD_KIND_U16:
      return {std::int64_t{value.u16}};
    case AMQP_FIELD_KIND_I32:
      return {std::int64_t{value.i32}};
    case AMQP_FIELD_KIND_U32:
      return {std::int64_t{value.u32}};
    case AMQP_FIELD_KIND_I64:
      return {value.i64};
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return ReadUnsigned(value.u64);
    case AMQP_FIELD_KIND_F32:
      return {double{value.f32}};
    case AMQP_FIELD_KIND_F64:
      return {value.f64};
    case AMQP_FIELD_KIND_DECIMAL:
      return {static_cast<double>(value.decimal.value) / std::pow(10.0, value.decimal.decimals)};
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return {CopyBytes(value.bytes)};
    case AMQP_FIELD_KIND_TABLE:
    case AMQP_FIELD_KIND_ARRAY:
      return ReadNested(field, depth);
    default:
      return {};
  }
}

}  // namespace

amqp_bytes_t BorrowBytes(std::string_view text) {
  amqp_bytes_t bytes;
  bytes.len = text.size();
  bytes.bytes = const_cast<char*>(text.data());
  return bytes;
}

std::string CopyBytes(amqp_bytes_t bytes) {
  if (bytes.len == 0) return {};
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

AmqpTable::AmqpTable(const Headers& headers) {
  top_ = &entries_.emplace_back();
  top_->reserve(headers.size());
  for (const auto& [key, value] : headers) top_->push_back({BorrowBytes(key), Field(value)});
  table_ = {static_cast<int>(top_->size()), top_->data()};
}

void AmqpTable::Remove(std::string_view key) {
  std::erase_if(*top_, [&](const auto& entry) {
    const std::string_view name(static_cast<const char*>(entry.key.bytes), entry.key.len);
    return name == key;
  });
  table_ = {static_cast<int>(top_->size()), top_->data()};
}

amqp_table_t AmqpTable::Table(const HeaderValue::Table& from) {
  auto& entries = entries_.emplace_back();
  entries.reserve(from.size());
  for (const auto& [key, value] : from) entries.push_back({BorrowBytes(key), Field(value)});
  return {static_cast<int>(entries.size()), entries.data()};
}

amqp_array_t AmqpTable::Array(const HeaderValue::List& from) {
  auto& values = values_.emplace_back();
  values.reserve(from.size());
  for (const auto& value : from) values.push_back(Field(value));
  return {static_cast<int>(values.size()), values.data()};
}

amqp_field_value_t AmqpTable::Field(const HeaderValue& from) {
  amqp_field_value_t field{};
  std::visit(
      [&](const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          field.kind = AMQP_FIELD_KIND_VOID;
        } else if constexpr (std::is_same_v<Value, bool>) {
          field.kind = AMQP_FIELD_KIND_BOOLEAN;
          field.value.boolean = value ? 1 : 0;
        } else if constexpr (std::is_same_v<Value, std::int64_t>) {
          field.kind = AMQP_FIELD_KIND_I64;
          field.value.i64 = value;
        } else if constexpr (std::is_same_v<Value, double>) {
          field.kind = AMQP_FIELD_KIND_F64;
          field.value.f64 = value;
        } else if constexpr (std::is_same_v<Value, std::string>) {
          field.kind = AMQP_FIELD_KIND_UTF8;
          field.value.bytes = BorrowBytes(value);
        } else if constexpr (std::is_same_v<Value, HeaderValue::List>) {
          field.kind = AMQP_FIELD_KIND_ARRAY;
          field.value.array = Array(value);
        } else {
          field.kind = AMQP_FIELD_KIND_TABLE;
          field.value.table = Table(value);
        }
      },
      from.value);
  return field;
}

Headers ReadHeaders(const amqp_table_t& table) { return ReadTable(table, 0); }

AmqpProperties::AmqpProperties(const Message& message) : headers_(message.headers) {
  headers_.Remove("CC");
  headers_.Remove("BCC");
  const auto set = [this](amqp_bytes_t& property, const std::string& text, amqp_flags_t flag) {
    if (text.empty()) return;
    property = BorrowBytes(text);
    properties_._flags |= flag;
  };
  set(properties_.message_id, message.message_id, AMQP_BASIC_MESSAGE_ID_FLAG);
  set(properties_.correlation_id, message.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG);
  set(properties_.reply_to, message.reply_to, AMQP_BASIC_REPLY_TO_FLAG);
  set(properties_.type, message.type, AMQP_BASIC_TYPE_FLAG);
  set(properties_.content_type, message.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG);
  set(properties_.content_encoding, message.content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG);
  set(properties_.app_id, message.app_id, AMQP_BASIC_APP_ID_FLAG);
  properties_.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  properties_._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
  if (message.priority) {
    properties_.priority = *message.priority;
    properties_._flags |= AMQP_BASIC_PRIORITY_FLAG;
  }
  if (message.timestamp_s) {
    properties_.timestamp = *message.timestamp_s;
    properties_._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
  }
  if (headers_.table().num_entries > 0) {
    properties_.headers = headers_.table();
    properties_._flags |= AMQP_BASIC_HEADERS_FLAG;
  }
}

Message ReadProperties(const amqp_basic_properties_t& properties) {
  Message message;
  const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
  const auto read = [&](std::string& text, amqp_bytes_t property, amqp_flags_t flag) {
    if (has(flag)) text = CopyBytes(property);
  };
  read(message.message_id, properties.message_id, AMQP_BASIC_MESSAGE_ID_FLAG);
  read(message.correlation_id, properties.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG);
  read(message.reply_to, properties.reply_to, AMQP_BASIC_REPLY_TO_FLAG);
  read(message.type, properties.type, AMQP_BASIC_TYPE_FLAG);
  read(message.content_type, properties.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG);
  read(message.content_encoding, properties.content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG);
  read(message.app_id, properties.app_id, AMQP_BASIC_APP_ID_FLAG);
  read(message.user_id, properties.user_id, AMQP_BASIC_USER_ID_FLAG);
  read(message.expiration, properties.expiration, AMQP_BASIC_EXPIRATION_FLAG);
  if (has(AMQP_BASIC_PRIORITY_FLAG)) message.priority = properties.priority;
  if (has(AMQP_BASIC_TIMESTAMP_FLAG)) message.timestamp_s = properties.timestamp;
  if (has(AMQP_BASIC_HEADERS_FLAG)) message.headers = ReadHeaders(properties.headers);
  return message;
}

}  // namespace iq

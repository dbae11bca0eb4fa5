#include "tests/support/amqp_fields.h"

#include <fmt/format.h>

#include <utility>

namespace iq::test {
namespace {

constexpr std::uint8_t kPersistent = 2;

amqp_table_entry_t TextEntry(const std::string& key, const std::string& value) {
  amqp_table_entry_t entry{};
  entry.key = BytesOf(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = BytesOf(value);
  return entry;
}

std::string FieldText(const amqp_field_value_t& field);

std::string FieldText(const amqp_table_t& table) {
  std::string text;
  for (int i = 0; i < table.num_entries; ++i) {
    text += fmt::format("{}{}={}", i == 0 ? "" : ",", TextOf(table.entries[i].key),
                        FieldText(table.entries[i].value));
  }
  return "{" + text + "}";
}

std::string FieldText(const amqp_array_t& array) {
  std::string text;
  for (int i = 0; i < array.num_entries; ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ",", FieldText(array.entries[i]));
  }
  return "[" + text + "]";
}

std::string FieldText(const amqp_field_value_t& field) {
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      return field.value.boolean != 0 ? "true" : "false";
    case AMQP_FIELD_KIND_I8:
      return std::to_string(field.value.i8);
    case AMQP_FIELD_KIND_U8:
      return std::to_string(field.value.u8);
    case AMQP_FIELD_KIND_I16:
      return std::to_string(field.value.i16);
    case AMQP_FIELD_KIND_U16:
      return std::to_string(field.value.u16);
    case AMQP_FIELD_KIND_I32:
      return std::to_string(field.value.i32);
    case AMQP_FIELD_KIND_U32:
      return std::to_string(field.value.u32);
    case AMQP_FIELD_KIND_I64:
      return std::to_string(field.value.i64);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return std::to_string(field.value.u64);
    case AMQP_FIELD_KIND_F32:
      return fmt::format("{}", field.value.f32);
    case AMQP_FIELD_KIND_F64:
      return fmt::format("{}", field.value.f64);
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return TextOf(field.value.bytes);
    case AMQP_FIELD_KIND_ARRAY:
      return FieldText(field.value.array);
    case AMQP_FIELD_KIND_TABLE:
      return FieldText(field.value.table);
    case AMQP_FIELD_KIND_VOID:
      return "void";
    default:
      throw AmqpError(fmt::format("header of unknown kind {}", field.kind));
  }
}

// A text property of amqp_basic_properties_t, its flag, and its counterpart.
struct TextProperty {
  amqp_flags_t flag;
  amqp_bytes_t amqp_basic_properties_t::*theirs;
  std::string AmqpProperties::*ours;
};

constexpr TextProperty kTextProperties[] = {
    {AMQP_BASIC_MESSAGE_ID_FLAG, &amqp_basic_properties_t::message_id, &AmqpProperties::message_id},
    {AMQP_BASIC_CORRELATION_ID_FLAG, &amqp_basic_properties_t::correlation_id,
     &AmqpProperties::correlation_id},
    {AMQP_BASIC_REPLY_TO_FLAG, &amqp_basic_properties_t::reply_to, &AmqpProperties::reply_to},
    {AMQP_BASIC_TYPE_FLAG, &amqp_basic_properties_t::type, &AmqpProperties::type},
    {AMQP_BASIC_CONTENT_TYPE_FLAG, &amqp_basic_properties_t::content_type,
     &AmqpProperties::content_type},
    {AMQP_BASIC_CONTENT_ENCODING_FLAG, &amqp_basic_properties_t::content_encoding,
     &AmqpProperties::content_encoding},
    {AMQP_BASIC_APP_ID_FLAG, &amqp_basic_properties_t::app_id, &AmqpProperties::app_id},
    {AMQP_BASIC_EXPIRATION_FLAG, &amqp_basic_properties_t::expiration, &AmqpProperties::expiration},
};

}  // namespace

amqp_bytes_t BytesOf(std::string_view text) {
  // rabbitmq-c has one structure for bytes it reads and bytes it owns; these it only reads.
  return {text.size(), const_cast<char*>(text.data())};
}

std::string TextOf(amqp_bytes_t bytes) {
  return bytes.len == 0 ? "" : std::string(static_cast<const char*>(bytes.bytes), bytes.len);
}

PropertyFrame::PropertyFrame(const AmqpProperties& properties) {
  frame_._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  frame_.delivery_mode = kPersistent;
  for (const TextProperty& property : kTextProperties) {
    const std::string& text = properties.*property.ours;
    if (!text.empty()) {
      frame_._flags |= property.flag;
      frame_.*property.theirs = BytesOf(text);
    }
  }
  if (properties.priority) {
    frame_._flags |= AMQP_BASIC_PRIORITY_FLAG;
    frame_.priority = *properties.priority;
  }
  if (properties.timestamp) {
    frame_._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
    frame_.timestamp = *properties.timestamp;
  }
  for (const auto& [key, value] : properties.headers) {
    headers_.push_back(TextEntry(key, value));
  }
  if (!headers_.empty()) {
    frame_._flags |= AMQP_BASIC_HEADERS_FLAG;
    frame_.headers = {static_cast<int>(headers_.size()), headers_.data()};
  }
}

ArgumentTable::ArgumentTable(const AmqpArguments& arguments) {
  for (const auto& [key, value] : arguments) {
    amqp_table_entry_t& entry = entries_.emplace_back();
    if (const auto* text = std::get_if<std::string>(&value)) {
      entry = TextEntry(key, *text);
      continue;
    }
    entry.key = BytesOf(key);
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      entry.value.kind = AMQP_FIELD_KIND_I64;
      entry.value.value.i64 = *number;
    } else {
      entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
      entry.value.value.boolean = std::get<bool>(value) ? 1 : 0;
    }
  }
  table_ = {static_cast<int>(entries_.size()), entries_.data()};
}

AmqpDelivery DeliveryOf(const amqp_message_t& message) {
  const amqp_basic_properties_t& frame = message.properties;
  const auto has = [&](amqp_flags_t flag) { return (frame._flags & flag) != 0; };
  AmqpDelivery delivery;
  delivery.body = TextOf(message.body);
  for (const TextProperty& property : kTextProperties) {
    if (has(property.flag)) {
      delivery.properties.*property.ours = TextOf(frame.*property.theirs);
    }
  }
  if (has(AMQP_BASIC_DELIVERY_MODE_FLAG)) {
    delivery.delivery_mode = frame.delivery_mode;
  }
  if (has(AMQP_BASIC_PRIORITY_FLAG)) {
    delivery.properties.priority = frame.priority;
  }
  if (has(AMQP_BASIC_TIMESTAMP_FLAG)) {
    delivery.properties.timestamp = frame.timestamp;
  }
  if (has(AMQP_BASIC_HEADERS_FLAG)) {
    for (int i = 0; i < frame.headers.num_entries; ++i) {
      const amqp_table_entry_t& entry = frame.headers.entries[i];
      delivery.properties.headers[TextOf(entry.key)] = FieldText(entry.value);
    }
  }
  return delivery;
}

}  // namespace iq::test

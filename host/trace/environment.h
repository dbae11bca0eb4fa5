// Where spans go, as OpenTelemetry's own environment variables say it:
//   OTEL_EXPORTER_OTLP_ENDPOINT  http(s)://HOST[:PORT][/PATH] of a collector; not set: no spans
//   OTEL_EXPORTER_OTLP_HEADERS   NAME=VALUE,… for each request to it
//   OTEL_SERVICE_NAME            `service.name` of all spans [iq]
//   OTEL_RESOURCE_ATTRIBUTES     KEY=VALUE,… more of what all spans share
// A value of the lists may have any byte as %XX.
#pragma once

#include "host/config.h"
#include "host/config_text.h"

namespace iq {

// Throws UsageError that names the variable and the mend.
TracingConfig ReadTracing(const Environment& environment);
TracingConfig TracingOfThisProcess();

}  // namespace iq

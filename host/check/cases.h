// The cases, each by its name in check.cc.
#pragma once

#include "host/check/check.h"

namespace iq::check {

// From the bytes of the file alone.
Finding CheckFile(const Subject& subject);
Finding CheckExports(const Subject& subject);
Finding CheckFlags(const Subject& subject);

Finding CheckManifest(const Subject& subject);
Finding CheckHandlers(const Subject& subject);

// With commands and events.
Finding CheckExamples(const Subject& subject);
Finding CheckHostileInput(const Subject& subject);
Finding CheckPlan(const Subject& subject);
Finding CheckThreads(const Subject& subject);
Finding CheckLeaks(const Subject& subject);
Finding CheckTime(const Subject& subject);

}  // namespace iq::check

/* Mentions every type of abi.h, so that their layout stands in the debug information of what is made of
 * this file. Never linked into anything: see guard.py. */
#include <iq/abi.h>

const iq_plugin *iq_plugin_v1(void) { return NULL; }

IQ_EXPORT void iq_anchor(const iq_host *host, const iq_command *command, const iq_command_type *type,
                         const iq_value *value, const iq_manifest *manifest, iq_rc rc,
                         iq_outcome outcome);
void iq_anchor(const iq_host *host, const iq_command *command, const iq_command_type *type,
               const iq_value *value, const iq_manifest *manifest, iq_rc rc, iq_outcome outcome) {
  (void)host, (void)command, (void)type, (void)value, (void)manifest, (void)rc, (void)outcome;
}

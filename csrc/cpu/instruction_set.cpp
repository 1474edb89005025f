#include "cpu/instruction_set.h"

#include <atomic>
#include <cstring>

namespace pcgen {
namespace {

constexpr const char* names[] = {"portable", "avx2", "avx512"};

InstructionSet widest() {
#if PCGEN_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return InstructionSet::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return InstructionSet::avx2;
#endif
  return InstructionSet::portable;
}

std::atomic<InstructionSet> current{widest()};

}  // namespace

InstructionSet instruction_set() { return current.load(std::memory_order_relaxed); }

}  // namespace pcgen

// Called through ctypes: they have no tensor arguments, so they are not ops.
extern "C" {

__attribute__((visibility("default"))) const char* pcgen_instruction_set() {
  return pcgen::names[static_cast<int>(pcgen::instruction_set())];
}

// Returns 0, or 1 if the name is unknown or the processor lacks the instructions.
__attribute__((visibility("default"))) int pcgen_set_instruction_set(const char* name) {
  for (int i = 0; i <= static_cast<int>(pcgen::widest()); ++i) {
    if (std::strcmp(name, pcgen::names[i]) == 0) {
      pcgen::current = static_cast<pcgen::InstructionSet>(i);
      return 0;
    }
  }
  return 1;
}
}

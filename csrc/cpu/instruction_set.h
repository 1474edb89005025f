// The choice of a kernel's instruction set: the widest of this processor, unless another is selected.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#define PCGEN_X86 1
#else
#define PCGEN_X86 0
#endif

namespace pcgen {

enum class InstructionSet { portable, avx2, avx512 };

InstructionSet instruction_set();

// A kernel is compiled into units of the same name, one namespace per instruction set, in the order of the enum:
//   static constexpr const Table* units[] = PCGEN_UNITS(table);   choose(units)->function(...)
#if PCGEN_X86
#define PCGEN_UNITS(name) {&portable::name, &avx2::name, &avx512::name}
#else
#define PCGEN_UNITS(name) {&portable::name}
#endif

template <class Table, int count>
const Table& choose(const Table* const (&units)[count]) {
  return *units[static_cast<int>(instruction_set())];
}

}  // namespace pcgen

// The toolkit and the targets of the build, as text that pcgen finds in the file, also if the library cannot be loaded.
#define PCGEN_TEXT(text) #text
#define PCGEN_VALUE(macro) PCGEN_TEXT(macro)

extern "C" __attribute__((visibility("default"))) const char* pcgen_cuda_build() {
  return "pcgen CUDA build: " PCGEN_VALUE(__CUDACC_VER_MAJOR__) "." PCGEN_VALUE(__CUDACC_VER_MINOR__) " " PCGEN_VALUE(
      PCGEN_CUDA_TARGETS);
}

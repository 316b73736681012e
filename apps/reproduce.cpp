// The paper's main experiment in one command: arguments in, exit status out (README.md lists them).
#include <iostream>
#include <map>
#include <new>
#include <string>

#include "apps/doctor.h"
#include "apps/experiments.h"
#include "apps/interrupt.h"
#include "apps/reproduce_options.h"
#include "apps/revision.h"  // made at every build
#include "apps/standard_streams.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace tapestry::apps {
namespace {

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;  // "Clang 17.0.6 ..."
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

/// An argument as it is given to a shell.
std::string quoted(const std::string& argument) {
  constexpr const char* kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,+@%-";
  if (!argument.empty() && argument.find_first_not_of(kPlain) == std::string::npos) return argument;
  std::string text = "'";
  for (const char c : argument) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// Which GPU computes, by what.
void add_gpu(std::map<std::string, std::string>& versions) {
  const CudaReport gpu = cuda_report();
  versions["gpu"] = gpu.name;
  versions["driver"] = "knows CUDA up to " + version_text(gpu.driver_version);
  versions["CUDA runtime"] = version_text(gpu.runtime_version);
}

int interrupted(const ReproduceOptions& options) {
  std::cerr << "reproduce: interrupted; "
            << (options.plan ? "a plan keeps nothing"
                             : "what is finished is kept in " + options.experiment.out.string() +
                                   ", and the same command goes on from there")
            << std::endl;
  return 128 + interrupt_signal();
}

}  // namespace

int run_reproduce(int argc, char** argv) {
  std::optional<ReproduceOptions> options = parse_reproduce_options(argc, argv);
  if (!options) return 0;
  if (options->doctor) return doctor(std::cout);
  if (options->list) {
    std::cout << list_text(*options);
    return 0;
  }
  for (const std::string& remark : options->remarks) std::cout << remark << "\n";
  for (int i = 0; i < argc; ++i) options->experiment.command += (i > 0 ? " " : "") + quoted(argv[i]);
  options->experiment.versions = {
      {"tapestry", TAPESTRY_VERSION}, {"revision", TAPESTRY_REVISION}, {"compiler", kCompiler}, {"blas", TAPESTRY_BLAS}};
  if (options->experiment.device == "cuda") add_gpu(options->experiment.versions);
  options->experiment.interrupted = [] { return interrupt_signal() != 0; };
  catch_interrupts();
  try {
    return reproduce(*options);
  } catch (const recsys::Interrupted&) {
    return interrupted(*options);
  }
}

}  // namespace tapestry::apps

int main(int argc, char** argv) {
  tapestry::apps::open_standard_streams();
  tapestry::apps::outlive_closed_pipes();
  tapestry::let_waiting_threads_sleep(argv);
  try {
    const int status = tapestry::apps::run_reproduce(argc, argv);
    const bool printed = tapestry::apps::printed_everything("reproduce");
    return status != 0 || printed ? status : static_cast<int>(tapestry::ErrorKind::kData);
  } catch (const tapestry::Error& error) {
    std::cerr << "reproduce: " << error.what() << std::endl;
    return error.exit_status();
  } catch (const std::bad_alloc&) {  // what no Tensor asked for: a Tensor's own error says how much
    std::cerr << "reproduce: out of memory on cpu; fewer runs side by side (--jobs) need less" << std::endl;
    return static_cast<int>(tapestry::ErrorKind::kDevice);
  } catch (const std::exception& error) {
    std::cerr << "reproduce: " << error.what() << std::endl;
    return 1;
  }
}

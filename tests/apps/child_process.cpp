#include "tests/apps/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/recsys/data/data_support.h"

namespace tapestry::apps::tests {

namespace {

void redirect(const std::filesystem::path& file, int descriptor) {
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(127);
}

}  // namespace

Reproduce::Reproduce(const std::filesystem::path& scratch, const std::vector<std::string>& arguments,
                     const std::function<void()>& prepare) {
  static std::atomic<int> count = 0;
  const std::string name = "child-" + std::to_string(++count);
  out_ = scratch / (name + ".out");
  err_ = scratch / (name + ".err");
  std::vector<std::string> words = {TAPESTRY_REPRODUCE_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  child_ = ::fork();
  if (child_ < 0) throw std::runtime_error("cannot start a process");
  if (child_ == 0) {
    redirect(out_, STDOUT_FILENO);
    redirect(err_, STDERR_FILENO);
    ::unsetenv("TAPESTRY_DATA");
    if (prepare) prepare();
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
}

Reproduce::~Reproduce() {
  if (status_ >= 0) return;
  ::kill(child_, SIGKILL);
  wait();
}

bool Reproduce::ended() {
  if (status_ >= 0) return true;
  int status = 0;
  if (::waitpid(child_, &status, WNOHANG) != child_) return false;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

bool Reproduce::wait_for(const std::string& text) {
  return wait_until([&] { return told().find(text) != std::string::npos; });
}

bool Reproduce::wait_until(const std::function<bool()>& condition) {
  while (true) {
    const bool over = ended();
    if (condition()) return true;
    if (over) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Reproduce::signal(int number) const {
  if (status_ < 0) ::kill(child_, number);
}

std::string Reproduce::told() const { return recsys::tests::read_file(err_); }

Outcome Reproduce::wait() {
  while (!ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return {status_, recsys::tests::read_file(out_), told()};
}

Outcome reproduce(const std::filesystem::path& scratch, const std::vector<std::string>& arguments,
                  const std::function<void()>& prepare) {
  return Reproduce(scratch, arguments, prepare).wait();
}

}  // namespace tapestry::apps::tests

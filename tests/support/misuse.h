#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tensor/error.h"

namespace tapestry::tests {

/// `call` must throw kMisuse with all of these in its message.
template <typename Call>
void expect_misuse(const Call& call, const std::vector<std::string>& parts) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown; expected a message with " << parts.front();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMisuse);
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << " lacks " << part;
  }
}

}  // namespace tapestry::tests

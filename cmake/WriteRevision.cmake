# Writes the header OUTPUT with the revision that is being built: run at every build, so that no binary names another one's. The file
# is left alone while the revision stays the same.
set(revision "")
find_package(Git QUIET)
if(GIT_FOUND)
  execute_process(COMMAND "${GIT_EXECUTABLE}" rev-parse --show-prefix
                  WORKING_DIRECTORY "${SOURCE}" RESULT_VARIABLE outside
                  OUTPUT_VARIABLE below OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  # Sources that were unpacked inside another repository have none of their own.
  if(outside EQUAL 0 AND below STREQUAL "")
    execute_process(COMMAND "${GIT_EXECUTABLE}" describe --always --dirty
                    WORKING_DIRECTORY "${SOURCE}"
                    OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "#define TAPESTRY_REVISION \"${revision}\"\n")

#include "tensor/built_for.h"

namespace tapestry {

constinit const unsigned kBuiltFor = 0U
#ifdef __AVX__
                                     | kAvx
#endif
#ifdef __AVX2__
                                     | kAvx2
#endif
#ifdef __FMA__
                                     | kFma
#endif
#ifdef __BMI__
                                     | kBmi
#endif
#ifdef __BMI2__
                                     | kBmi2
#endif
#ifdef __AVX512F__
                                     | kAvx512F
#endif
#ifdef __AVX512CD__
                                     | kAvx512Cd
#endif
#ifdef __AVX512BW__
                                     | kAvx512Bw
#endif
#ifdef __AVX512DQ__
                                     | kAvx512Dq
#endif
#ifdef __AVX512VL__
                                     | kAvx512Vl
#endif
#ifdef __FMA4__
                                     | kFma4
#endif
#ifdef __XOP__
                                     | kXop
#endif
    ;

}  // namespace tapestry

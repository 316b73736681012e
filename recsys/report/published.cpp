#include "recsys/report/published.h"

#include <array>
#include <cctype>
#include <cstddef>

namespace tapestry::recsys {
namespace {

// The order in which the printed figures stand in their tables here.
constexpr std::array<std::string_view, 2> kSettings = {"augment", "replace"};
constexpr std::array<std::string_view, 3> kRecommenders = {"SVD", "MLP", "NeuMF"};
constexpr std::array<std::string_view, 4> kDatasets = {"amazon-luxury-beauty", "ml-100k", "amazon-digital-music", "ml-1m"};
constexpr std::array<std::string_view, 12> kMetrics = {"Recall@1", "Recall@3", "Recall@5", "Recall@10", "Recall@20", "Recall@50",
                                                       "NDCG@1",   "NDCG@3",   "NDCG@5",   "NDCG@10",   "NDCG@20",   "NDCG@50"};
constexpr std::array<std::string_view, 9> kGenerators = {"Original", "CTGAN",      "TVAE",   "CODIGEM", "DiffRec",
                                                         "MultiVAE", "MultiVAE++", "F-SDRM", "M-SDRM"};

/// By data set.
constexpr PublishedDataset kTable1[kDatasets.size()] = {
    {1344, 729, 15359},     // amazon-luxury-beauty
    {938, 1008, 95215},     // ml-100k
    {10621, 8582, 108509},  // amazon-digital-music
    {3125, 6034, 994338},   // ml-1m
};

// clang-format off
/// Tables 3 and 4 by setting, recommender, generator and data set: Recall@10 mean and std, NDCG@10 mean and std.
constexpr double kTables[kSettings.size()][kRecommenders.size()][kGenerators.size()][kDatasets.size()][4] = {
  {
  // augment, SVD
  {
  {{.3113, 0, .287, 0}, {.3716, 0, .3973, 0}, {.0624, 0, .0427, 0}, {.3769, 0, .4035, 0}},  // Original
  {{.2642, .018, .2407, .014}, {.3533, .006, .3813, .004}, {.0405, .002, .0267, .001}, {.3652, .003, .3917, .004}},  // CTGAN
  {{.3113, 0, .2873, 0}, {.3668, .003, .3918, .003}, {.0624, 0, .0427, 0}, {.3638, .004, .3869, .003}},  // TVAE
  {{.3025, .003, .2819, .002}, {.3492, .006, .3745, .01}, {.049, .003, .0301, .001}, {.3113, .004, .3336, .004}},  // CODIGEM
  {{.2936, .003, .2748, .003}, {.37, .008, .4021, .011}, {.0306, .002, .0228, .003}, {.3598, .007, .383, .008}},  // DiffRec
  {{.3226, .007, .2998, .007}, {.3822, .006, .4103, .007}, {.0612, .004, .0389, .002}, {.3391, .006, .3658, .007}},  // MultiVAE
  {{.3163, .014, .2912, .007}, {.3878, .006, .4126, .007}, {.0613, .003, .0406, .002}, {.3717, .002, .3946, .003}},  // MultiVAE++
  {{.325, .012, .2988, .01}, {.3924, .005, .4181, .005}, {.0623, .003, .041, .001}, {.3722, .002, .3977, .002}},  // F-SDRM
  {{.3249, .004, .2957, .005}, {.3971, .004, .417, .004}, {.0641, .004, .0442, .002}, {.372, .002, .3962, .003}},  // M-SDRM
  },
  // augment, MLP
  {
  {{.3183, .006, .3007, .004}, {.3569, .007, .3788, .004}, {.0194, .001, .0128, .001}, {.3319, .006, .3558, .005}},  // Original
  {{.3188, .013, .2987, .005}, {.3567, .007, .3781, .006}, {.0208, .004, .0135, .002}, {.3228, .005, .3463, .005}},  // CTGAN
  {{.2438, .002, .2431, .001}, {.3437, .012, .3622, .014}, {.0184, .001, .012, .001}, {.2949, .019, .3186, .02}},  // TVAE
  {{.3365, .014, .3071, .008}, {.3479, .01, .3686, .013}, {.0596, .003, .0385, .002}, {.3132, .007, .3377, .006}},  // CODIGEM
  {{.3283, .012, .3013, .004}, {.355, .011, .3769, .008}, {.0213, .002, .0139, .001}, {.3246, .001, .3482, .002}},  // DiffRec
  {{.3328, .009, .3048, .006}, {.053, .014, .0615, .016}, {.0199, .003, .0137, .001}, {.3588, .003, .372, .006}},  // MultiVAE
  {{.3316, .008, .3, .007}, {.3901, .007, .4101, .009}, {.0756, .01, .0489, .007}, {.3528, .005, .3763, .006}},  // MultiVAE++
  {{.3246, .008, .3004, .004}, {.3839, .013, .4055, .014}, {.0146, .01, .0095, .008}, {.3595, .002, .3845, .001}},  // F-SDRM
  {{.3343, .013, .303, .007}, {.3947, .011, .419, .01}, {.0798, .0012, .0523, .002}, {.3591, .003, .384, .003}},  // M-SDRM
  },
  // augment, NeuMF
  {
  {{.2399, .009, .0818, .012}, {.1006, .009, .096, .005}, {.0057, .001, .0011, .001}, {.0113, .001, .0094, .001}},  // Original
  {{.2444, .002, .0877, .001}, {.0889, .012, .086, .013}, {.007, .002, .0014, .001}, {.0219, .003, .0192, .004}},  // CTGAN
  {{.2439, .001, .0874, .001}, {.1258, .011, .1282, .006}, {.0053, .001, .0013, .001}, {.0126, .004, .0105, .004}},  // TVAE
  {{.1709, .116, .0477, .035}, {.1015, .016, .0839, .016}, {.007, .002, .0014, .001}, {.0642, .001, .0601, .002}},  // CODIGEM
  {{.2621, .006, .0923, .004}, {.1147, .013, .1093, .016}, {.0138, .002, .0035, .001}, {.0203, .005, .0178, .005}},  // DiffRec
  {{.2475, .057, .0826, .026}, {.1253, .012, .118, .014}, {.0154, .004, .0036, .001}, {.0487, .003, .0483, .002}},  // MultiVAE
  {{.2687, .009, .0877, .01}, {.2357, .003, .1858, .004}, {.0224, .007, .005, .002}, {.1046, .005, .0972, .005}},  // MultiVAE++
  {{.3225, .019, .109, .01}, {.232, .007, .1891, .009}, {.0234, .003, .0054, .001}, {.1026, .007, .0935, .007}},  // F-SDRM
  {{.2953, .019, .1026, .006}, {.2425, .015, .186, .008}, {.0273, .0059, .006, .001}, {.1059, .014, .099, .015}},  // M-SDRM
  },
  },
  {
  // replace, SVD
  {
  {{.3113, 0, .287, 0}, {.3716, 0, .3973, 0}, {.0624, 0, .0427, 0}, {.3769, 0, .4035, 0}},  // Original
  {{.0654, .054, .056, .054}, {.2215, .011, .225, .012}, {.0152, .002, .0095, .001}, {.2623, .008, .2769, .008}},  // CTGAN
  {{.2521, .005, .2503, .004}, {.2641, .008, .2766, .006}, {.0214, 0, .0143, 0}, {.3082, .006, .325, .008}},  // TVAE
  {{.3044, .008, .2813, .007}, {.2799, .004, .286, .007}, {.0481, .003, .0295, .001}, {.2624, .005, .2774, .005}},  // CODIGEM
  {{.2702, .013, .2541, .02}, {.3476, .006, .3624, .009}, {.0258, .004, .0197, .003}, {.3354, .011, .3595, .013}},  // DiffRec
  {{.3299, .011, .3063, .008}, {.3724, .008, .3937, .007}, {.0393, .005, .0246, .004}, {.3134, .011, .3359, .012}},  // MultiVAE
  {{.3406, .003, .3188, .001}, {.3889, .008, .414, .008}, {.0617, .003, .0412, .001}, {.3704, .004, .3935, .004}},  // MultiVAE++
  {{.3471, .005, .3229, .007}, {.3931, .006, .4176, .003}, {.0628, .002, .0428, .001}, {.3707, .002, .3944, .002}},  // F-SDRM
  {{.3384, .007, .3174, .004}, {.3946, .006, .4176, .006}, {.0622, .003, .0423, .002}, {.3703, .003, .3946, .003}},  // M-SDRM
  },
  // replace, MLP
  {
  {{.3183, .006, .3007, .003}, {.3569, .007, .3788, .004}, {.0194, .001, .0128, .001}, {.3319, .006, .3558, .005}},  // Original
  {{.2651, .008, .2189, .021}, {.2017, .016, .2197, .011}, {.0011, .001, .0007, .001}, {.2081, .001, .2216, .003}},  // CTGAN
  {{.2438, .001, .2431, .001}, {.1334, .007, .1586, .006}, {.0153, .003, .0095, .001}, {.1569, .017, .1674, .015}},  // TVAE
  {{.1568, .095, .1012, .061}, {.1445, .019, .1403, .018}, {.0249, .003, .0173, .001}, {.1882, .006, .187, .01}},  // CODIGEM
  {{.3065, .005, .2947, .003}, {.2997, .016, .3107, .014}, {.0181, .002, .0115, .001}, {.2349, .033, .2526, .034}},  // DiffRec
  {{.311, .012, .2925, .012}, {.3359, .005, .3465, .007}, {.0172, .004, .012, .002}, {.3385, .005, .3633, .005}},  // MultiVAE
  {{.3356, .011, .3079, .011}, {.3488, .01, .3616, .007}, {.071, .011, .0492, .007}, {.3409, .004, .3636, .004}},  // MultiVAE++
  {{.3375, .008, .3103, .01}, {.3601, .006, .3754, .006}, {.013, .004, .0085, .003}, {.3451, .006, .3693, .006}},  // F-SDRM
  {{.3474, .009, .3142, .005}, {.3544, .006, .3755, .007}, {.0668, .005, .0451, .004}, {.3438, .005, .3702, .004}},  // M-SDRM
  },
  // replace, NeuMF
  {
  {{.2399, .009, .0818, .011}, {.1006, .009, .096, .005}, {.0057, .001, .0011, .001}, {.0113, .001, .0094, .001}},  // Original
  {{.1786, .083, .0405, .018}, {.0532, .014, .05, .019}, {.0073, .002, .0014, .001}, {.0053, .001, .0055, .001}},  // CTGAN
  {{.0957, .034, .0231, .011}, {.1289, .011, .1326, .008}, {.009, .008, .0013, .001}, {.0237, .005, .023, .005}},  // TVAE
  {{.1154, .108, .0294, .032}, {.0782, .014, .0552, .012}, {.0022, .001, .0004, .001}, {.0606, .006, .0574, .005}},  // CODIGEM
  {{.2613, .017, .0881, .006}, {.0726, .025, .0629, .027}, {.0168, .005, .0031, .001}, {.0143, .007, .0134, .006}},  // DiffRec
  {{.0834, .025, .0196, .007}, {.0951, .014, .0894, .014}, {.0174, .003, .0042, .001}, {.0198, .004, .0195, .004}},  // MultiVAE
  {{.331, .01, .1143, .002}, {.2309, .013, .1853, .009}, {.0259, .004, .0059, .001}, {.126, .008, .1154, .008}},  // MultiVAE++
  {{.3339, .009, .1137, .002}, {.2421, .009, .1913, .007}, {.028, .014, .0058, .002}, {.1265, .011, .1146, .012}},  // F-SDRM
  {{.332, .008, .1141, .001}, {.2303, .014, .1814, .01}, {.0297, .008, .0064, .002}, {.1296, .014, .1212, .014}},  // M-SDRM
  },
  },
};

/// Table 6 by setting and metric.
constexpr double kAverages[kSettings.size()][kMetrics.size()] = {
    {12.7, 7.31, 5.96, 5.36, 4.5, 5.06, 12.7, 8.33, 7.69, 6.15, 6.01, 5.5},  // augment
    {1.04, -0.28, 1.87, 2.55, 2.46, 3.12, 0.97, 0.48, 1.55, 1.85, 2.02, 2.52},  // replace
};

/// Tables 7 and 8 by setting, recommender, data set and metric.
constexpr double kImprovements[kSettings.size()][kRecommenders.size()][kDatasets.size()][kMetrics.size()] = {
  {
  {
    {6.04, 2.56, 1.94, 1.86, 0.76, 2.36, 6.04, 3.43, 2.8, 2.68, 2.33, 2.71},  // augment, SVD, amazon-luxury-beauty
    {1.16, 0.45, 0.29, 2.4, 1.03, 0.84, 1.16, 0.83, 0.7, 1.33, 0.62, 0.82},  // augment, SVD, ml-100k
    {5, 16.67, 16.2, 4.57, 2.6, 5.15, 5, 16.07, 15.89, 8.87, 7.18, 7.24},  // augment, SVD, amazon-digital-music
    {2.57, 1.37, 1.07, 0.13, 0.4, -0.02, 2.57, 1.83, 1.49, 0.79, 0.71, 0.42},  // augment, SVD, ml-1m
  },
  {
    {5.29, 0.96, -0.47, 0.81, 0.55, -0.05, 5.29, 1.47, 0.84, 1, 0.8, 0.49},  // augment, MLP, amazon-luxury-beauty
    {2.43, 3.57, 1.68, 1.18, 1.76, 0.1, 2.43, 3.91, 2.65, 2.17, 1.83, 1.12},  // augment, MLP, ml-100k
    {7.26, 8.12, 7.64, 5.56, 7.18, 8.61, 7.26, 8.49, 8.2, 6.95, 7.48, 8.12},  // augment, MLP, amazon-digital-music
    {3.91, 2.99, 2.66, 1.9, 2.1, 2.99, 3.91, 2.88, 2.64, 2.18, 2.18, 2.49},  // augment, MLP, ml-1m
  },
  {
    {40.28, 9.62, 13.89, 20.02, 18.38, 17.6, 40.28, 18.63, 22.31, 24.29, 22.52, 21.2},  // augment, NeuMF, amazon-luxury-beauty
    {18.81, 4.33, 4.6, 2.89, -1.95, 2, 18.81, 7.06, 5.27, 1.78, 2.82, 3.08},  // augment, NeuMF, ml-100k
    {51.72, 30.95, 20.29, 21.88, 20.11, 22.31, 51.72, 28.57, 25.93, 20, 21.43, 17.65},  // augment, NeuMF, amazon-digital-music
    {7.92, 6.16, 1.76, 1.24, 1.11, -1.08, 7.92, 6.8, 3.6, 1.85, 2.25, 0.67},  // augment, NeuMF, ml-1m
  },
  },
  {
  {
    {2.48, -2.01, -0.65, 1.91, 1.76, 2.88, 2.48, -0.39, 0.19, 1.29, 1.14, 1.58},  // replace, SVD, amazon-luxury-beauty
    {2.42, -2.04, 0.64, 1.47, 0.17, 1.37, 2.42, -0.9, 0.58, 0.87, 0.27, 0.73},  // replace, SVD, ml-100k
    {9.72, 2.48, 5.67, 1.78, 0.52, 1.29, 9.72, 5.59, 6.27, 3.88, 1.93, 2.55},  // replace, SVD, amazon-digital-music
    {1.3, 0.74, 1.04, 0.08, 0.11, -0.02, 1.3, 0.77, 0.88, 0.28, 0.27, 0.26},  // replace, SVD, ml-1m
  },
  {
    {0, 2.05, 2.26, 3.52, 1.72, 1.68, 0, 1.44, 1.48, 2.05, 1.36, 1},  // replace, MLP, amazon-luxury-beauty
    {13.36, 6.4, 5.23, 3.24, -1.02, 0.35, 13.36, 7.92, 5.47, 3.84, 2, 2.44},  // replace, MLP, ml-100k
    {-9.06, -12.86, -9.88, -5.92, -9.68, -6.02, -9.06, -11.97, -10.92, -8.33, -9.8, -8.1},  // replace, MLP, amazon-digital-music
    {3.9, 3.07, 2.22, 1.23, 1.1, 0.23, 3.9, 3.28, 2.71, 1.82, 1.55, 1.05},  // replace, MLP, ml-1m
  },
  {
    {0.52, -1.91, -0.62, 0.88, -0.7, -1.87, 0.52, -0.92, 0, -0.17, -0.65, -0.9},  // replace, NeuMF, amazon-luxury-beauty
    {-6.94, 2.07, 3.73, 4.85, 2.31, 2.69, -6.94, 0.64, 2.08, 3.24, 2.75, 2.54},  // replace, NeuMF, ml-100k
    {-15.11, -10.07, 4.74, 14.67, 31.18, 33.84, -15.91, -8.7, 1.3, 8.47, 19.57, 24.24},  // replace, NeuMF, amazon-digital-music
    {9.88, 8.69, 8.08, 2.86, 2.07, 1.03, 9.88, 8.94, 8.53, 5.03, 3.79, 2.82},  // replace, NeuMF, ml-1m
  },
  },
};
// clang-format on

/// The place of a name, nothing when it has none.
template <std::size_t N>
std::optional<std::size_t> index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

bool same_but_for_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// The command line's names are the paper's in lower case.
template <std::size_t N>
std::optional<std::string> paper_name(const std::array<std::string_view, N>& names, std::string_view name) {
  for (const std::string_view candidate : names) {
    if (same_but_for_case(candidate, name)) return std::string(candidate);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> paper_recommender(std::string_view name) { return paper_name(kRecommenders, name); }
std::optional<std::string> paper_generator(std::string_view name) { return paper_name(kGenerators, name); }

std::optional<PublishedFigure> published_figure(std::string_view setting, std::string_view recommender, std::string_view dataset,
                                                std::string_view generator, std::string_view metric) {
  const auto s = index_of(kSettings, setting);
  const auto r = index_of(kRecommenders, paper_recommender(recommender).value_or(""));
  const auto g = index_of(kGenerators, paper_generator(generator).value_or(""));
  const auto d = index_of(kDatasets, dataset);
  const bool recall = metric == "Recall@10";
  if (!s || !r || !g || !d || (!recall && metric != "NDCG@10")) return std::nullopt;
  const double* cell = kTables[*s][*r][*g][*d] + (recall ? 0 : 2);
  return PublishedFigure{cell[0], cell[1]};
}

std::optional<PublishedDataset> published_dataset(std::string_view dataset) {
  const auto d = index_of(kDatasets, dataset);
  if (!d) return std::nullopt;
  return kTable1[*d];
}

std::optional<double> published_improvement(std::string_view setting, std::string_view recommender, std::string_view dataset,
                                            std::string_view metric) {
  const auto s = index_of(kSettings, setting);
  const auto r = index_of(kRecommenders, paper_recommender(recommender).value_or(""));
  const auto d = index_of(kDatasets, dataset);
  const auto m = index_of(kMetrics, metric);
  if (!s || !r || !d || !m) return std::nullopt;
  return kImprovements[*s][*r][*d][*m];
}

std::optional<double> published_average_improvement(std::string_view setting, std::string_view metric) {
  const auto s = index_of(kSettings, setting);
  const auto m = index_of(kMetrics, metric);
  if (!s || !m) return std::nullopt;
  return kAverages[*s][*m];
}

std::optional<double> published_overall_improvement(std::string_view setting, std::string_view kind) {
  const bool recall = kind == "Recall@";
  if (!recall && kind != "NDCG@") return std::nullopt;
  if (setting == "augment") return recall ? 6.81 : 7.73;
  if (setting == "replace") return recall ? 1.79 : 1.56;
  if (setting == "augment and replace") return recall ? 4.30 : 4.65;
  return std::nullopt;
}

std::optional<double> published_average_lead(std::string_view setting, std::string_view metric) {
  const bool recall = metric == "Recall@10";
  if (!recall && metric != "NDCG@10") return std::nullopt;
  if (setting == "augment") return recall ? 4.48 : 5.07;
  if (setting == "replace") return recall ? 2.08 : 0.88;
  return std::nullopt;
}

}  // namespace tapestry::recsys

// The shapes that `ogas synth` writes are models that the architectures accept.
#include <gtest/gtest.h>

#include "arch/registry.h"
#include "forecast/remote_header.h"
#include "synth/shapes.h"
#include "synth/synthetic_model.h"

namespace ogas {
namespace {

TEST(PublishedShapes, BindEveryTensorTheyHave) {
  for (const ModelShape& shape : all_shapes()) {
    const auto written = SyntheticModel::create(shape, {});
    ASSERT_TRUE(written) << shape.name << ": " << written.error().message;
    const auto file = open_header(written->header(), written->n_bytes(), std::string(shape.name));
    ASSERT_TRUE(file) << shape.name << ": " << file.error().message;
    const auto model = create_model(*file);
    ASSERT_TRUE(model) << shape.name << ": " << model.error().message;
    EXPECT_EQ((*model)->facts().n_params, written->n_params()) << shape.name;
    EXPECT_EQ((*model)->facts().n_layer, shape.n_layer) << shape.name;
    EXPECT_EQ((*model)->facts().n_ctx_train, shape.n_ctx) << shape.name;
    const uint32_t n_attention =
        shape.full_attention_interval > 0 ? shape.n_layer / shape.full_attention_interval : shape.n_layer;
    EXPECT_EQ((*model)->facts().kv.streams().size(), n_attention) << shape.name;
    EXPECT_EQ((*model)->facts().kv.n_states(), shape.n_layer - n_attention) << shape.name;
  }
}

}  // namespace
}  // namespace ogas

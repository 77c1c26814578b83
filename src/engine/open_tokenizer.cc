#include "engine/open_tokenizer.h"

#include "base/file.h"
#include "files/tensor_file.h"
#include "files/tokenizer_json.h"
#include "files/vocab_reader.h"

namespace ogas {

Result<std::unique_ptr<Tokenizer>> open_tokenizer(const std::filesystem::path& path) {
  if (path.extension() == ".json" || is_there(path / "tokenizer.json"))
    return Tokenizer::create(OGAS_TRY(open_tokenizer_json(path)));
  const auto file = OGAS_TRY(TensorFile::open(path));
  return Tokenizer::create(OGAS_TRY(read_vocab(file)));
}

}  // namespace ogas

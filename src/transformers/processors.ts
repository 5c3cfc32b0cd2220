/**
 * What transformers' Python classes take a setting for that a model's preprocessor_config.json leaves out
 * (models/*\/image_processing_pil_*.py of transformers 5, the processors that work on Pillow).
 */
export interface ProcessorDefaults {
  /** How a bare number is meant, and the size without one. */
  size: { height: number; width: number } | { shortest_edge: number }
  /** `shortest`: no other form of `size` is taken; `exact`: a bare number is the edge of a square. */
  sizes: 'exact' | 'shortest' | 'both'
  /** PIL.Image.Resampling. */
  resample: number
  /** Null where the class crops only if the file says so, and to what. */
  crop: { height: number; width: number; do: boolean } | 'never' | null
  mean: number[]
  std: number[]
  /** `do_normalize` where the file does not say, null where the class never normalises. */
  normalize: boolean | null
  /** `do_flip_channel_order`, null where the class never flips. */
  flip: boolean | null
}

const STANDARD = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
const CLIP = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
const BILINEAR = 2
const BICUBIC = 3

const square = (edge: number) => ({ height: edge, width: edge })
const exact = (edge: number) => ({ size: square(edge), sizes: 'exact' as const })
const shortest = (edge: number) => ({ size: { shortest_edge: edge }, sizes: 'both' as const })
const cropped = (edge: number, does = true) => ({ ...square(edge), do: does })
const plain = { crop: null, normalize: true, flip: null }

/** By the name of Python's class without its ending. */
export const PROCESSORS: Readonly<Record<string, ProcessorDefaults>> = {
  Beit: { ...plain, ...exact(224), ...STANDARD, resample: BICUBIC, crop: cropped(224, false) },
  Bit: { ...plain, ...shortest(224), ...CLIP, resample: BICUBIC, crop: cropped(224) },
  CLIP: { ...plain, ...shortest(224), ...CLIP, resample: BICUBIC, crop: cropped(224) },
  ConvNext: { ...plain, ...shortest(384), ...STANDARD, sizes: 'shortest', resample: BICUBIC },
  DeiT: { ...plain, ...exact(256), ...STANDARD, resample: BICUBIC, crop: cropped(224) },
  EfficientNet: { ...plain, ...exact(346), ...STANDARD, resample: BICUBIC, crop: cropped(289, false) },
  Levit: { ...plain, ...shortest(224), ...IMAGENET, resample: BICUBIC, crop: cropped(224) },
  MobileNetV1: { ...plain, ...shortest(256), ...STANDARD, resample: BILINEAR, crop: cropped(224) },
  MobileNetV2: { ...plain, ...shortest(256), ...STANDARD, resample: BILINEAR, crop: cropped(224) },
  MobileViT: {
    ...plain,
    ...shortest(224),
    ...STANDARD,
    resample: BICUBIC,
    crop: cropped(256),
    normalize: null,
    flip: true,
  },
  PoolFormer: { ...plain, ...shortest(224), ...IMAGENET, resample: BICUBIC, crop: cropped(224) },
  Pvt: { ...plain, ...exact(224), ...IMAGENET, resample: BICUBIC },
  Segformer: { ...plain, ...exact(512), ...IMAGENET, resample: BILINEAR, crop: 'never' },
  Siglip: { ...plain, ...exact(224), sizes: 'both', ...STANDARD, resample: BICUBIC },
  ViT: { ...plain, ...exact(224), ...STANDARD, resample: BILINEAR },
}

/** What to do about a model that does something else. */
export const CHOOSE_ANOTHER = 'Choose an image-classification model.'

/** What to do about pictures that nobody here knows how to prepare. timm's models have settings of their own form. */
export const HOW_TO_PREPARE = `Write preprocessor_config.json with an image_processor_type that is known (${Object.keys(PROCESSORS).join(', ')}, each with ImageProcessor behind it), size, resample, image_mean and image_std. A model of timm has them in config.json as pretrained_cfg: they are CLIPImageProcessor's with a shortest_edge of input_size / crop_pct and a crop_size of input_size; its label_names are the id2label of config.json.`

/** Which processor a kind of model has whose file names none, by the `model_type` of config.json (AutoImageProcessor). */
export const OF_MODELS: Readonly<Record<string, readonly string[]>> = {
  Beit: ['beit', 'data2vec-vision'],
  Bit: ['bit', 'dinov2', 'focalnet', 'hiera'],
  CLIP: ['clip', 'metaclip_2'],
  ConvNext: ['convnext', 'convnextv2', 'cvt', 'regnet', 'resnet'],
  DeiT: ['deit'],
  EfficientNet: ['efficientnet'],
  Levit: ['levit'],
  MobileNetV1: ['mobilenet_v1'],
  MobileNetV2: ['mobilenet_v2'],
  MobileViT: ['mobilevit', 'mobilevitv2'],
  PoolFormer: ['poolformer'],
  Pvt: ['pvt', 'pvt_v2'],
  Segformer: ['segformer'],
  Siglip: ['siglip'],
  ViT: ['dinat', 'ijepa', 'swiftformer', 'swin', 'swinv2', 'vit', 'vit_mae', 'vit_msn'],
}

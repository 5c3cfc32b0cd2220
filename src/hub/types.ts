/** A repository of the Hub at a revision. */
export interface Repo {
  type: 'model' | 'dataset'
  /** `owner/name`; the oldest repositories have a name only. */
  id: string
  /**
   * Branch, tag or commit.
   * @default 'main'
   */
  revision?: string
}

/** A file of a repository as the Hub lists it. */
export interface RepoFile {
  /** From the repository's root, with `/` on every platform. */
  path: string
  /** Bytes. */
  size: number
  /**
   * Git's id of the file; of the pointer file where the content lies in large-file storage. Empty for such a file in a
   * snapshot that came without a listing.
   */
  oid: string
  /** Of the content, for a file in large-file storage. */
  sha256?: string
}

/** The files of a repository that a call asked for, all of them in the cache. */
export interface Snapshot {
  commit: string
  /** The cache's folder of that commit. */
  folder: string
  /** Paths in the folder, with `/` on every platform, sorted. */
  files: string[]
}

/** How files of the Hub are fetched and kept. */
export interface HubOptions {
  /**
   * Address of the Hub or of a mirror.
   * @default HF_ENDPOINT, else https://huggingface.co
   */
  endpoint?: string | undefined
  /**
   * Sent to the endpoint's host only, never along a redirect. '' sends none.
   * @default HF_TOKEN, else what `hf auth login` left in HF_HOME/token; none where HF_HUB_DISABLE_IMPLICIT_TOKEN is set
   */
  token?: string | undefined
  /**
   * A path or a file URL.
   * @default HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub
   */
  cacheDir?: string | URL | undefined
  /**
   * Make no request: what the cache lacks is an error.
   * @default HF_HUB_OFFLINE, else TRANSFORMERS_OFFLINE; for data sets HF_DATASETS_OFFLINE, too
   */
  offline?: boolean | undefined
  /**
   * Ask the Hub where a branch or tag points to now, instead of believing the cache; without an answer it is an error.
   * Of no effect when offline.
   * @default false
   */
  refresh?: boolean | undefined
  /** @default the platform's fetch, through HTTP_PROXY, HTTPS_PROXY and ALL_PROXY but for NO_PROXY */
  fetch?: typeof fetch | undefined
  /**
   * Show a bar while something is downloaded.
   * @default true, unless HF_HUB_DISABLE_PROGRESS_BARS is set
   */
  progress?: boolean | undefined
  /** Ends the download; what has arrived is kept and continued by the next one. */
  signal?: AbortSignal | undefined
  /**
   * Milliseconds of silence after which a request is given up and made again.
   * @default HF_HUB_DOWNLOAD_TIMEOUT (seconds), else 30000
   */
  idleTimeout?: number | undefined
  /**
   * How often in a row a request may fail (busy, cut, silent) before it is an error; a transfer that moves on counts anew.
   * @default 5
   */
  retries?: number | undefined
  /**
   * Milliseconds before the first retry; doubles with each, up to 16 times as long. A `Retry-After` of the Hub overrides it.
   * @default 500
   */
  retryDelay?: number | undefined
}

"""The service of exercise 2 as the assignment has it, and one that decodes only; each also with two replicas, as ours has. The model is $BENCH_MODEL."""

import os
from io import BytesIO

import wikipedia
from fastapi import FastAPI, File, UploadFile
from PIL import Image
from ray import serve
from transformers import pipeline

wikipedia.wikipedia.API_URL = os.environ.get("BENCH_WIKIPEDIA", wikipedia.wikipedia.API_URL)


def fetch_wikipedia_page(search_term, chars=500):
    titles = wikipedia.search(search_term)
    if not titles:
        return "No pages found"
    try:
        return wikipedia.page(titles[0], auto_suggest=False).content[:chars]
    except wikipedia.PageError:
        return "No pages found"


app = FastAPI()
decoding = FastAPI()


@serve.deployment()
class WikipediaSearch:
    async def __call__(self, input_text):
        return fetch_wikipedia_page(input_text)


@serve.deployment()
@serve.ingress(app)
class ImageClassifier:
    def __init__(self, wikipedia_search):
        self._classifier = pipeline("image-classification", model=os.environ["BENCH_MODEL"])
        self._wiki = wikipedia_search

    def classify_image(self, image):
        results = self._classifier(image)
        if not results or results[0]["score"] < 0.80:
            return None
        return results[0]["label"].split(",")[0]

    @app.post("/whatis")
    async def classify(self, file: UploadFile = File(...)):
        contents = await file.read()
        image = Image.open(BytesIO(contents)).convert("RGB")
        search_item = self.classify_image(image)
        if search_item is None:
            return {"prediction": "unknown"}
        page_contents = await self._wiki.remote(search_item)
        return {"prediction": search_item, "wikipedia info": page_contents}


@serve.deployment()
@serve.ingress(decoding)
class Decoder:
    @decoding.post("/decode")
    async def decode(self, file: UploadFile = File(...)):
        image = Image.open(BytesIO(await file.read())).convert("RGB")
        return {"width": image.width, "height": image.height}


wiki = WikipediaSearch.bind()
info = ImageClassifier.bind(wiki)
# Wikipedia waits for a network: the processors are the classifiers'
info_2 = ImageClassifier.options(num_replicas=2).bind(
    WikipediaSearch.options(ray_actor_options={"num_cpus": 0}).bind()
)
decoder = Decoder.bind()
# the setting with which Ray did best here
decoder_100 = Decoder.options(num_replicas=2, max_ongoing_requests=100).bind()

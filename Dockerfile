# docker build -t lora-hub .
# docker run -p 127.0.0.1:7860:7860 -v lora-hub:/data lora-hub
# On a machine without a GPU, torch is much smaller with
#   --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 lora && install -d -o lora -g lora -m 700 /data
ENV PYTHONUNBUFFERED=1 \
    LORA_HUB_HOME=/data \
    LORA_HUB_BIND=0.0.0.0 \
    LORA_HUB_PORT=7860 \
    LORA_HUB_NO_BROWSER=1

# The libraries change seldom: they are a layer of their own.
WORKDIR /opt/lora-hub
ARG PIP_EXTRA_INDEX_URL
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY lora_hub ./lora_hub
RUN pip install --no-cache-dir --no-deps .

USER lora
WORKDIR /home/lora
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['LORA_HUB_PORT'] + '/health', timeout=5)"]
CMD ["lora-hub", "app"]

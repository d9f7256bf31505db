package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const walletsFolder = "testdata/wallets"

// Limits of the tests with wallets' libraries.
const (
	walletsInstall = 3 * time.Minute
	walletsRun     = 2 * time.Minute
)

// job is what a library shall do: sign the message, or verify the signature.
type job struct {
	Library   string `json:"library"`
	Act       string `json:"act"` // sign or verify
	Kind      string `json:"kind"`
	Network   string `json:"network"`
	Secret    string `json:"secret"` // hex; the key is for these tests alone
	WIF       string `json:"wif"`
	Address   string `json:"address"`
	Message   string `json:"message"`
	Signature string `json:"signature,omitempty"`

	account Address
	form    string
	want    bool
}

// done is what came of a job. A library says no by Valid or by Error, as it likes.
type done struct {
	Signature string `json:"signature"`
	Valid     bool   `json:"valid"`
	Error     string `json:"error"`
}

// supported is what each library knows: accounts and forms. bitcoinjs-message knows no taproot, bip322-js is older than
// BIP-322's prefixes, and neither knows its full form: that one is made of bitcoinjs-lib's parts (full.js).
var supported = map[string]map[Kind][]string{
	"bitcoinjs-message": {P2PKH: {"BIP-137"}, P2SHP2WPKH: {"BIP-137"}, P2WPKH: {"BIP-137"}},
	"bip322-js": {P2PKH: {"BIP-137"}, P2SHP2WPKH: {"BIP-137", "unprefixed"}, P2WPKH: {"BIP-137", "unprefixed"},
		P2TR: {"unprefixed"}},
	"bitcoinjs-lib": {P2PKH: {"full"}, P2SHP2WPKH: {"full"}, P2WPKH: {"full"}, P2TR: {"full"}},
}

func walletMessages(t testing.TB) []string {
	return []string{"", "Hello World", "UTF-8: öäü 测试 😄", testChallenge(t).String(), strings.Repeat("long ", 200)}
}

func TestWalletsSignaturesAreAccepted(t *testing.T) {
	folder := installWallets(t)
	jobs := eachWallet(t, func(j job) []job {
		j.Act = "sign"
		return []job{j}
	})
	results := runWallets(t, folder, jobs)
	counts := map[string]int{}
	for i, j := range jobs {
		got := results[i]
		if got.Error != "" || got.Signature == "" {
			t.Errorf("%s does not sign as %s: %+v", j.Library, j.account, got)
			continue
		}
		counts[j.Library+" "+j.Kind]++
		if err := Verify(j.account, j.Message, got.Signature); err != nil {
			t.Errorf("%s, %s %s, message %q, signature %s: %v", j.Library, j.account.Network(), j.Kind, j.Message, got.Signature, err)
		}
		if err := Verify(j.account, j.Message+".", got.Signature); !errors.Is(err, ErrSignature) {
			t.Errorf("%s, %s: passes for another message: %v", j.Library, j.Kind, err)
		}
	}
	t.Logf("signatures accepted: %v", counts)
}

func TestWalletsAcceptOurSignatures(t *testing.T) {
	folder := installWallets(t)
	k := walletKey(t)
	jobs := eachWallet(t, func(j job) []job {
		var all []job
		for _, form := range supported[j.Library][j.account.Kind()] {
			j.Act, j.form = "verify", form
			j.Signature = everyForm(t, k, j.account, j.Message)[form]
			j.want = true
			wrong := j
			wrong.Message, wrong.want = j.Message+".", false
			all = append(all, j, wrong)
		}
		return all
	})
	results := runWallets(t, folder, jobs)
	counts := map[string]int{}
	for i, j := range jobs {
		if got := results[i]; got.Valid != j.want {
			t.Errorf("%s, %s %s %s, message %q, signature %s: %+v, want %v", j.Library, j.account.Network(), j.Kind, j.form, j.Message, j.Signature, got, j.want)
		}
		if j.want {
			counts[j.Library+" "+j.Kind+" "+j.form]++
		}
	}
	t.Logf("our signatures accepted, and refused for another message: %v", counts)
}

func walletKey(t testing.TB) PrivateKey { return testKey(t, 30) }

// eachWallet asks for the jobs of each library, network, kind of account and message.
func eachWallet(t *testing.T, ask func(job) []job) []job {
	t.Helper()
	k := walletKey(t)
	var jobs []job
	for library, kinds := range supported {
		for _, network := range []Network{Mainnet, Testnet, Regtest} {
			for kind := range kinds {
				for _, message := range walletMessages(t) {
					account := k.Address(network, kind)
					jobs = append(jobs, ask(job{Library: library, Network: network.String(), Kind: kind.String(), Address: account.String(), account: account, Message: message,
						Secret: hex.EncodeToString(k.key.Serialize()), WIF: k.WIF(network)})...)
				}
			}
		}
	}
	return jobs
}

func runWallets(t *testing.T, folder string, jobs []job) []done {
	t.Helper()
	input, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), walletsRun)
	defer cancel()
	c := exec.CommandContext(ctx, "node", filepath.Join(walletsFolder, "wallets.js"))
	c.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(folder, "node_modules"))
	c.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	output, err := c.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	var results []done
	if err := json.Unmarshal(output, &results); err != nil || len(results) != len(jobs) {
		t.Fatalf("%d results for %d jobs: %v", len(results), len(jobs), err)
	}
	return results
}

// installWallets gives the folder where the libraries are, of the versions and hashes in the lock file. They are fetched
// once and kept in the user's cache; without node, or without them and a way to a registry, the test is skipped.
func installWallets(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s on this machine (Debian: nodejs, npm)", program)
		}
	}
	files := map[string][]byte{}
	sum := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		b, err := os.ReadFile(filepath.Join(walletsFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
		sum.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("there is no folder to keep the libraries in: %v", err)
	}
	folder := filepath.Join(cache, fmt.Sprintf("decenter-wallets-%x", sum.Sum(nil)[:8]))
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Skipf("there is no folder to keep the libraries in: %v", err)
	}
	fetchWallets(t, cache, folder, files)
	return folder
}

// fetchWallets makes folder, whole or not at all.
func fetchWallets(t *testing.T, cache, folder string, files map[string][]byte) {
	t.Helper()
	draft, err := os.MkdirTemp(cache, "decenter-wallets-draft-")
	if err != nil {
		t.Skipf("there is no folder to keep the libraries in: %v", err)
	}
	defer os.RemoveAll(draft)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(draft, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), walletsInstall)
	defer cancel()
	c := exec.CommandContext(ctx, "npm", "ci", "--no-progress", "--fetch-retries=1", "--fetch-timeout=30000")
	c.Dir = draft
	if output, err := c.CombinedOutput(); err != nil {
		if bytes.Contains(output, []byte("EINTEGRITY")) {
			t.Fatalf("a library is not the one of the lock file:\n%s", output)
		}
		t.Skipf("the wallets' libraries cannot be fetched: %v: %s", err, firstErrors(output))
	}
	if err := os.Rename(draft, folder); err != nil {
		if _, there := os.Stat(folder); there != nil { // else another run was faster
			t.Fatal(err)
		}
	}
}

// firstErrors gives what npm says first; a trace of its own follows.
func firstErrors(output []byte) string {
	var all []string
	for line := range strings.Lines(string(output)) {
		if rest, found := strings.CutPrefix(line, "npm error "); found && len(all) < 4 {
			all = append(all, strings.TrimSpace(rest))
		}
	}
	return strings.Join(all, "; ")
}

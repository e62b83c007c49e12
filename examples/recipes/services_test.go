package recipes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/sealed"
)

var servicesApps = map[string]func(*core.Manager, *jwtsealer.Keys) any{
	"nethttp": func(m *core.Manager, k *jwtsealer.Keys) any { return servicesNetHTTP(m, k) },
	"echo":    func(m *core.Manager, k *jwtsealer.Keys) any { return servicesEcho(m, k) },
	"gin":     func(m *core.Manager, k *jwtsealer.Keys) any { return servicesGin(m, k) },
	"fiber":   func(m *core.Manager, k *jwtsealer.Keys) any { return servicesFiber(m, k) },
}

// verifiers are the services on the page, with what reads the headers of requests from
// the standard input, one a line, and prints what each says.
var verifiers = []struct {
	language, file, read string
	candidates, args     []string
	check                string // whether the library is there
	dir                  string
}{
	{
		"python", "services.py", "\nimport json, sys\nfor line in sys.stdin.read().split('\\n'):\n    print(json.dumps(session_of(line or None)))\n",
		[]string{"python3", "/usr/bin/python3"},
		[]string{"-c"},
		"import jwt, cryptography", "",
	},
	{
		"js", "services.mjs", "\nimport { readFileSync } from 'node:fs';\nfor (const line of readFileSync(0, 'utf8').split('\\n')) console.log(JSON.stringify(await sessionOf(line || undefined)));\n",
		[]string{"node"},
		[]string{"--input-type=module", "-e"},
		`await import("jose")`, "../../tmp/interop",
	},
}

func newSigning(t *testing.T) (*jwtsealer.Keys, *sealed.Keyring, *core.Manager) {
	t.Helper()
	text, err := jwtsealer.GenerateKey(jwtsealer.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	signing, err1 := jwtsealer.ParseKeys(text)
	keys, err2 := sealed.ParseKeyring(sealed.GenerateKey())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	m, err := newForServices(signing, keys)
	if err != nil {
		t.Fatal(err)
	}
	return signing, keys, m
}

func TestServices(t *testing.T) {
	for name, app := range servicesApps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signing, _, m := newSigning(t)
			b := newBrowser(t, serve(t, app(m, signing)), nil)
			want, err := signing.JWKS()
			if err != nil {
				t.Fatal(err)
			}
			set := b.get("/.well-known/jwks.json")
			set.wants(200, string(want))
			if set.header.Get("Cache-Control") != "public, max-age=300" || set.header.Get("Vary") != "" {
				t.Errorf("the JWK set comes with %v", set.header)
			}
			if token := b.post("/login", "name", "ann").header.Get("Session-Token"); strings.Count(token, ".") != 2 {
				t.Errorf("the login answers %q", token)
			}
		})
	}
}

// TestServicesVerify has the programs on the page verify sessions, with the keys that an
// application serves. They refuse what is no session for them.
func TestServicesVerify(t *testing.T) {
	signing, keys, m := newSigning(t)
	l := listen(t)
	start(t, servicesNetHTTP(m, signing), l)
	base := "http://" + l.Addr().String()
	login := func(m *core.Manager) string {
		return newBrowser(t, serve(t, servicesNetHTTP(m, signing)), nil).post("/login", "name", "ann").header.Get("Session-Token")
	}
	of := func(c jwtsealer.Config) string {
		c.Seal = keys
		m, err := core.New(core.ClientSide(jwtsealer.Signed(signing, c)), core.Config{Carrier: core.Bearer})
		if err != nil {
			t.Fatal(err)
		}
		return login(m)
	}
	_, _, stranger := newSigning(t)
	good := login(m)
	dot := strings.LastIndexByte(good, '.')
	services := []string{"https://billing.example"}
	lines := []string{
		"Bearer " + good,
		"bearer " + good,
		"Basic " + good,
		"Bearer " + good[:dot+1] + strings.ToLower(good[dot+1:]),
		"Bearer " + login(stranger),
		"Bearer " + of(jwtsealer.Config{Issuer: "https://app.example"}),
		"Bearer " + of(jwtsealer.Config{Issuer: "https://other.example", Audience: services}),
		"Bearer eyJhbGciOiJub25lIn0" + good[strings.IndexByte(good, '.'):],
		"Bearer",
		"", // stands for no header at all
	}
	for _, v := range verifiers {
		t.Run(v.language, func(t *testing.T) {
			path := ""
			for _, name := range v.candidates {
				cmd := exec.CommandContext(t.Context(), name, append(slices.Clip(v.args), v.check)...)
				if cmd.Dir = filepath.FromSlash(v.dir); path == "" && cmd.Run() == nil {
					path = name
				}
			}
			if missing := "%s lacks the library: `make interop` fetches it"; path == "" && os.Getenv("SATCHEL_INTEROP") != "" {
				t.Fatalf(missing, v.language)
			} else if path == "" {
				t.Skipf(missing, v.language)
			}
			script := strings.Replace(readScript(t, v.file), "https://app.example/.well-known", base+"/.well-known", 1)
			cmd := exec.CommandContext(t.Context(), path, append(slices.Clip(v.args), script+v.read)...)
			cmd.Dir, cmd.Stdin = filepath.FromSlash(v.dir), strings.NewReader(strings.Join(lines, "\n"))
			out, err := cmd.Output()
			answers := strings.Split(strings.TrimSpace(string(out)), "\n")
			if err != nil || len(answers) != len(lines) {
				t.Fatalf("%v: %s", err, out)
			}
			for i, answer := range answers {
				var claims struct{ Sub, Sid, Plan string }
				if err := json.Unmarshal([]byte(answer), &claims); err != nil {
					t.Fatalf("%s: %v", answer, err)
				}
				if is := claims.Sub == "ann" && claims.Plan == "basic" && claims.Sid != ""; is != (i < 2) || !is && answer != "null" {
					t.Errorf("%.30q gives %s", lines[i], answer)
				}
			}
		})
	}
}

func readScript(t *testing.T, file string) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// TestServicesPage: the page shows the scripts that are tested.
func TestServicesPage(t *testing.T) {
	page, err := os.ReadFile(docs + "/services.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verifiers {
		if !strings.Contains(string(page), "```"+v.language+"\n"+readScript(t, v.file)+"```\n") {
			t.Errorf("docs/recipes/services.md does not show testdata/%s", v.file)
		}
	}
}

// Command smoke checks that other people's programs can use every module of this
// repository once it is tagged.
//
// It packs the modules of the work tree into a file-based module proxy, as a tag
// on this state would publish them. Then it makes a module outside the repository,
// without workspace and without replace lines. That module gets each of ours by
// version, builds all their packages and runs the program in testdata/consumer.
// Extend that program to use more.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	keep := flag.Bool("keep", false, "keep the folder with the proxy and the program")
	flag.Parse()
	if err := run(context.Background(), *keep); err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, keep bool) (err error) {
	top, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	root := strings.TrimSpace(top)
	modules, err := listModules(ctx, root)
	if err != nil {
		return err
	}
	version, err := sharedVersion(ctx, modules)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "satchel-smoke-")
	if err != nil {
		return err
	}
	if keep {
		fmt.Println("smoke: kept in", temp)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	}

	fmt.Printf("smoke: pack %d modules as %s\n", len(modules), version)
	files, err := listFiles(ctx, root)
	if err != nil {
		return err
	}
	proxy := filepath.Join(temp, "proxy")
	for _, m := range modules {
		if err := pack(proxy, root, m, files, version); err != nil {
			return fmt.Errorf("pack %s: %w", m.Path, err)
		}
	}
	return consume(ctx, root, temp, proxy, modules, version)
}

// consume makes the outside module and runs it.
func consume(ctx context.Context, root, temp, proxy string, modules []module, version string) error {
	app := filepath.Join(temp, "consumer")
	if err := os.CopyFS(app, os.DirFS(filepath.Join(root, "internal/tools/smoke/testdata/consumer"))); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(app, "go.mod"), []byte("module example.com/consumer\n\ngo 1.25.0\n"), 0o600); err != nil {
		return err
	}
	// The frameworks' checksums are known already; asking the checksum database
	// again would only be slow.
	if err := copySums(app, modules); err != nil {
		return err
	}
	env, err := consumerEnv(ctx, root, temp, proxy)
	if err != nil {
		return err
	}
	packages, err := publicPackages(ctx, root)
	if err != nil {
		return err
	}

	get := []string{"get"}
	for _, m := range modules {
		get = append(get, m.Path+"@"+version)
	}
	fmt.Println("smoke: go get each module")
	if err := goCommand(ctx, app, env, get...); err != nil {
		return err
	}
	fmt.Printf("smoke: go build %d packages\n", len(packages))
	// Several packages, so go build checks them and writes no file.
	if err := goCommand(ctx, app, env, append([]string{"build"}, packages...)...); err != nil {
		return err
	}
	fmt.Println("smoke: go run the consumer")
	return goCommand(ctx, app, env, "run", ".")
}

// consumerEnv returns an environment in which our modules come only from the
// file-based proxy, and everything else from earlier downloads or the usual proxy.
// The module cache is fresh, so that our packed modules neither stay behind nor
// come from an earlier run.
func consumerEnv(ctx context.Context, root, temp, proxy string) ([]string, error) {
	out, err := output(ctx, root, "go", "env", "-json", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	var ambient struct{ GOMODCACHE, GOPROXY string }
	if err := json.Unmarshal([]byte(out), &ambient); err != nil {
		return nil, err
	}
	proxies := fileURL(proxy) + "," + fileURL(filepath.Join(ambient.GOMODCACHE, "cache", "download"))
	if ambient.GOPROXY != "" {
		proxies += "," + ambient.GOPROXY
	}
	return append(os.Environ(),
		"GOWORK=off",
		"GOFLAGS=-mod=mod -modcacherw -trimpath", // -trimpath makes the build cache work for any folder
		"GOMODCACHE="+filepath.Join(temp, "modcache"),
		"GOPROXY="+proxies,
		"GOPRIVATE=",
		"GONOPROXY=none",
		"GONOSUMDB="+modulePrefix,
	), nil
}

func fileURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// copySums gives the consumer this repository's checksums.
func copySums(app string, modules []module) error {
	var sums bytes.Buffer
	for _, m := range modules {
		b, err := os.ReadFile(filepath.Join(m.Dir, "go.sum"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		sums.Write(b)
	}
	return os.WriteFile(filepath.Join(app, "go.sum"), sums.Bytes(), 0o600)
}

// publicPackages lists the packages that others can import, and our commands, but
// no folders that contain only tests.
func publicPackages(ctx context.Context, root string) ([]string, error) {
	out, err := output(ctx, root, "go", "list", "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "work")
	if err != nil {
		return nil, err
	}
	var public []string
	for p := range strings.FieldsSeq(out) {
		if !strings.Contains(p, "/internal/") {
			public = append(public, p)
		}
	}
	return public, nil
}

func goCommand(ctx context.Context, dir string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout = os.Stdout
	var stderr bytes.Buffer
	cmd.Stderr = io.Writer(&stderr)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, stderr.String())
	}
	return nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

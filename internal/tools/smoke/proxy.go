package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const modulePrefix = "github.com/satchel-go/satchel"

type module struct{ Path, Dir string }

// listModules lists the modules of the workspace.
func listModules(ctx context.Context, root string) ([]module, error) {
	out, err := output(ctx, root, "go", "list", "-m", "-json=Path,Dir")
	if err != nil {
		return nil, err
	}
	var modules []module
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var m module
		if err := dec.Decode(&m); err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	return modules, nil
}

// sharedVersion returns the version under which our modules require each
// other: they are tagged together, so there is only one.
func sharedVersion(ctx context.Context, modules []module) (string, error) {
	version := ""
	for _, m := range modules {
		out, err := output(ctx, m.Dir, "go", "mod", "edit", "-json")
		if err != nil {
			return "", err
		}
		var mod struct {
			Require []struct{ Path, Version string }
		}
		if err := json.Unmarshal([]byte(out), &mod); err != nil {
			return "", err
		}
		for _, r := range mod.Require {
			switch {
			case r.Path != modulePrefix && !strings.HasPrefix(r.Path, modulePrefix+"/"):
			case version == "":
				version = r.Version
			case version != r.Version:
				return "", fmt.Errorf("%s requires %s %s, others require %s", m.Path, r.Path, r.Version, version)
			}
		}
	}
	if version == "" {
		return "", fmt.Errorf("none of our modules requires another")
	}
	return version, nil
}

// listFiles lists what a commit of the work tree would contain, as slash-separated
// paths relative to root.
func listFiles(ctx context.Context, root string) ([]string, error) {
	out, err := output(ctx, root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	var files []string
	for f := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		// Skip links, and files whose deletion is not yet committed.
		if info, err := os.Lstat(filepath.Join(root, filepath.FromSlash(f))); err == nil && info.Mode().IsRegular() {
			files = append(files, f)
		}
	}
	return files, nil
}

// pack adds one version of m to the proxy, with the files that "go mod
// download" would take from a tag; see https://go.dev/ref/mod#zip-files.
func pack(proxy, root string, m module, files []string, version string) error {
	dir := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	gomod, err := os.ReadFile(filepath.Join(m.Dir, "go.mod"))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"list":            []byte(version + "\n"),
		version + ".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version),
		version + ".mod":  gomod,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		return err
	}
	if err := writeZip(f, root, m.Path+"@"+version+"/", filesOf(folder(m), files)); err != nil {
		_ = f.Close() // the file is thrown away
		return err
	}
	return f.Close()
}

// folder returns a module's folder below the root, "" for the root module.
func folder(m module) string {
	return strings.TrimPrefix(strings.TrimPrefix(m.Path, modulePrefix), "/")
}

// filesOf returns the files of the module in dir, from name in the module to path
// relative to the root.
func filesOf(dir string, files []string) map[string]string {
	var modules []string // even those that are not in the workspace
	for _, f := range files {
		if path.Base(f) == "go.mod" {
			modules = append(modules, strings.TrimSuffix(path.Dir(f), "."))
		}
	}
	mine := map[string]string{}
	for _, f := range files {
		if moduleOf(f, modules) == dir && !slices.Contains(strings.Split(path.Dir(f), "/"), "vendor") {
			mine[strings.TrimPrefix(strings.TrimPrefix(f, dir), "/")] = f
		}
	}
	// The go command gives a module without a licence that of the repository.
	if _, ok := mine["LICENSE"]; !ok && slices.Contains(files, "LICENSE") {
		mine["LICENSE"] = "LICENSE"
	}
	return mine
}

// moduleOf returns the folder of the innermost module that file lies in.
func moduleOf(file string, modules []string) string {
	best := ""
	for _, dir := range modules {
		if strings.HasPrefix(file, dir+"/") && len(dir) > len(best) {
			best = dir
		}
	}
	return best
}

func writeZip(w io.Writer, root, prefix string, files map[string]string) error {
	z := zip.NewWriter(w)
	for name, file := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		f, err := z.Create(prefix + name)
		if err != nil {
			return err
		}
		if _, err := f.Write(text); err != nil {
			return err
		}
	}
	return z.Close()
}

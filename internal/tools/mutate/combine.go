package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
)

// combined has the sources of all mutations at once: each changed function has
// its mutants beside it, and asks at its start which of them is on. So a hundred
// mutations take one build of each package rather than a hundred.
type combined struct {
	files map[string]*combinedFile
	parts map[string]bool // names of the mutations that are in it
}

type combinedFile struct {
	original string
	inserts  []insert
	mutants  strings.Builder // functions to append
	named    map[string]bool // functions whose parameters have been named
}

// insert replaces n bytes of the original.
type insert struct {
	at, n int
	text  string
}

// variable names the environment variable that says which mutation is on.
const variable = "SATCHEL_MUTATION"

// combine combines all mutations except those that change more than functions'
// bodies, which need their own build. read returns a file's source.
func combine(all []mutation, read func(string) (string, error)) (*combined, error) {
	c := &combined{files: map[string]*combinedFile{}, parts: map[string]bool{}}
	for n, m := range all {
		var changes []change
		sources := map[string]string{}
		alone := false
		for _, e := range m.edits {
			source, err := read(e.file)
			if err != nil {
				return nil, err
			}
			mutated, err := e.apply(source)
			if err != nil {
				alone = true // reported later, as this mutation's own fault
				break
			}
			changed, ok := compare(e.file, source, mutated)
			alone = alone || !ok
			changes = append(changes, changed...)
			sources[e.file] = source
		}
		if alone { // or a file that is not Go, such as an embedded script
			continue
		}
		for file, source := range sources {
			if c.files[file] == nil {
				c.files[file] = &combinedFile{original: source, named: map[string]bool{}}
			}
		}
		for _, ch := range changes {
			c.files[ch.file].add(ch, m.name, fmt.Sprintf("mutant%d", n))
		}
		c.parts[m.name] = true
	}
	return c, nil
}

// change is one function that a mutation changes.
type change struct {
	file     string
	key      string
	original *ast.FuncDecl
	mutant   string // its source
	name     int    // position of its name in that
}

// compare returns the functions that differ. ok is false if anything else does.
func compare(file, source, mutated string) (changes []change, ok bool) {
	before, rest, err := functions(source)
	if err != nil {
		return nil, false
	}
	after, restAfter, err := functions(mutated)
	if err != nil || rest != restAfter || len(before) != len(after) {
		return nil, false
	}
	for key, old := range before {
		now := after[key]
		if now.decl == nil {
			return nil, false
		}
		if now.text != old.text {
			changes = append(changes, change{file, key, old.decl, now.text, int(now.decl.Name.Pos() - now.decl.Pos())})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.key, b.key) })
	return changes, true
}

type function struct {
	decl *ast.FuncDecl
	text string
}

// functions returns the functions of a file, and the file without their
// bodies.
func functions(source string) (map[string]function, string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, "", err
	}
	found := map[string]function{}
	rest, end := "", 0
	for _, d := range f.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok || decl.Body == nil {
			continue
		}
		// The file set is new, so positions are offsets plus one.
		key := source[decl.Pos()-1 : decl.Body.Lbrace-1] // receiver, name and signature
		found[key] = function{decl, source[decl.Pos()-1 : decl.End()-1]}
		rest += source[end:decl.Body.Lbrace]
		end = int(decl.Body.Rbrace) - 1
	}
	return found, rest + source[end:], nil
}

// add puts the mutant ch beside its original, under its own name. The compiler names
// its mutation.
func (f *combinedFile) add(ch change, mutation, ending string) {
	decl := ch.original
	name := decl.Name.Name
	f.mutants.WriteString("\n//line " + mutation + suffix + ":1\n" + ch.mutant[:ch.name] + name + ending + ch.mutant[ch.name+len(name):] + "\n")

	called := name + ending
	if decl.Recv != nil {
		called = f.names(ch.key, decl.Recv, "receiver")[0] + "." + called
	}
	if decl.Type.TypeParams != nil {
		called += "[" + strings.Join(f.names(ch.key, decl.Type.TypeParams, "T"), ", ") + "]"
	}
	called += "(" + strings.Join(f.names(ch.key, decl.Type.Params, "parameter"), ", ") + ")"
	f.named[ch.key] = true
	if decl.Type.Results != nil {
		called = "return " + called
	} else {
		called += "; return"
	}
	f.inserts = append(f.inserts, insert{int(decl.Body.Lbrace), 0, fmt.Sprintf(" if mutationOn == %q { %s };", mutation, called)})
}

// names returns the names of a function's parameters, to pass them on. Unnamed
// parameters get a name in the original.
func (f *combinedFile) names(key string, fields *ast.FieldList, prefix string) (names []string) {
	give := func(at, n int, space string) string {
		name := fmt.Sprintf("%s%d", prefix, len(names))
		if !f.named[key] {
			f.inserts = append(f.inserts, insert{at, n, name + space})
		}
		return name
	}
	for _, field := range fields.List {
		dots := ""
		if _, ok := field.Type.(*ast.Ellipsis); ok {
			dots = "..."
		}
		if len(field.Names) == 0 {
			names = append(names, give(int(field.Type.Pos())-1, 0, " ")+dots)
		}
		for _, id := range field.Names {
			name := id.Name
			if name == "_" {
				name = give(int(id.Pos())-1, 1, "")
			}
			names = append(names, name+dots)
		}
	}
	return names
}

// sources returns the files that replace the real ones in the build, and those to add.
func (c *combined) sources() map[string]string {
	all := map[string]string{}
	for file, f := range c.files {
		slices.SortStableFunc(f.inserts, func(a, b insert) int { return a.at - b.at })
		text, end := "", 0
		for _, i := range f.inserts {
			text += f.original[end:i.at] + i.text
			end = i.at + i.n
		}
		all[file] = text + f.original[end:] + f.mutants.String()
		pkg, _, _ := strings.Cut(f.original[strings.Index("\n"+f.original, "\npackage "):], "\n")
		all[path.Join(path.Dir(file), "zz_mutation.go")] = pkg + "\n\nimport \"os\"\n\nvar mutationOn = os.Getenv(\"" + variable + "\")\n"
	}
	return all
}

package form

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"reflect"
	"strings"

	"github.com/satchel-go/satchel/core/internal/storable"
)

// typePlan is what New found out about a type: where its secrets are, and what
// its fields are called.
type typePlan struct {
	t      reflect.Type
	fields []fieldPlan // of a struct
	elem   *typePlan   // of a pointer, slice, array or map
	named  bool        // of a map: its keys may name secrets
	itself bool        // it marshals itself as text or JSON: do not look inside for values
	placed bool        // it, or a part, marshals itself only if addressable: not as a map's value
	busy   bool        // being made; met again, the type contains itself
	clean  bool        // nothing below is ever left out
	empty  bool        // it holds data, and nothing of it can be kept
}

// fieldPlan is a field of a struct.
type fieldPlan struct {
	index    int
	goName   string
	name     string // in the form
	embedded bool
	secret   bool // never kept, whatever the reason
	plan     *typePlan
}

// planner makes plans, one for each type.
type planner map[reflect.Type]*typePlan

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// planOf returns the plan of a form's input type.
func planOf(t reflect.Type) (*typePlan, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is not a struct: use the struct type that the form is bound to", t)
	}
	if writesItself(t) {
		return nil, fmt.Errorf("%s has MarshalJSON or MarshalText, perhaps from an embedded field, so its fields cannot be kept: use a struct without these methods", t)
	}
	p, err := planner{}.plan(t)
	if err != nil {
		return nil, err
	}
	if len(p.fields) == 0 {
		return nil, fmt.Errorf("%s has no exported fields: nothing of it can be kept", t)
	}
	return p, nil
}

func writesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(jsonMarshaler) || pointer.Implements(textMarshaler)
}

// writesPlaced reports whether a type that marshals itself must be addressable for it.
func writesPlaced(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(jsonMarshaler) {
		return !t.Implements(jsonMarshaler)
	}
	return !t.Implements(textMarshaler)
}

// readsItself reports whether a type that marshals itself can also unmarshal itself.
func readsItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	if pointer.Implements(jsonMarshaler) {
		return pointer.Implements(jsonUnmarshaler)
	}
	return pointer.Implements(textUnmarshaler)
}

// plan returns t's plan. The error says what is wrong with which field.
func (all planner) plan(t reflect.Type) (*typePlan, error) {
	if p, ok := all[t]; ok {
		return p, nil
	}
	p := &typePlan{t: t, busy: true, clean: true}
	all[t] = p
	err := all.fill(p)
	p.busy = false
	if err != nil {
		delete(all, t) // it is as bad elsewhere
	}
	return p, err
}

// fill fills in what is below p.
func (all planner) fill(p *typePlan) error {
	t := p.t
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && writesItself(t) {
		if !readsItself(t) {
			return fmt.Errorf("has the type %s, which can marshal itself but not unmarshal itself", t)
		}
		p.itself = true
		if t.Kind() == reflect.Struct {
			_ = all.fillFields(p) // how it marshals the others is up to the type
		}
		p.placed = writesPlaced(t)
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		err := all.fillFields(p)
		p.empty = len(p.fields) == 0 && storable.HoldsData(t)
		return err
	case reflect.Map:
		if !isKey(t.Key()) {
			return fmt.Errorf("has the type %s: map keys must be strings or integers", t)
		}
		p.named = t.Key().Kind() == reflect.String
		err := all.fillElem(p)
		if err == nil && p.elem.placed {
			return fmt.Errorf("has the type %s, whose values cannot be kept because the method that marshals them has a pointer receiver: use pointers as values", t)
		}
		return err
	case reflect.Array:
		err := all.fillElem(p)
		p.placed = err == nil && p.elem.placed
		return err
	case reflect.Pointer, reflect.Slice:
		return all.fillElem(p)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("has the type %s, which cannot be kept", t)
	case reflect.Interface:
		return fmt.Errorf("has the type %s, which can hold anything: give it a concrete type", t)
	}
	return nil
}

func (all planner) fillElem(p *typePlan) (err error) {
	if p.elem, err = all.plan(p.t.Elem()); err == nil && p.elem.busy && p.elem.t.Kind() != reflect.Struct {
		return fmt.Errorf("has the type %s, which contains itself: put a struct in between", p.elem.t)
	}
	if err == nil && p.elem.empty {
		return errEmpty(p.elem.t)
	}
	p.clean = p.elem.clean && !p.elem.busy && !p.named
	return err
}

func isKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// fillFields plans the fields of a struct. It reports all that cannot be kept,
// so that they can be fixed together.
func (all planner) fillFields(p *typePlan) error {
	var failures []error
	for i := range p.t.NumField() {
		field := p.t.Field(i)
		if !field.IsExported() && (!field.Anonymous || field.Type.Kind() != reflect.Struct && field.Type.Kind() != reflect.Pointer) {
			continue // no form can fill it in
		}
		f, err := all.field(field)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		f.index = i
		p.fields = append(p.fields, f)
		p.clean = p.clean && !f.secret && f.plan.clean && !f.plan.busy
		p.placed = p.placed || !f.secret && f.plan.placed
	}
	return errors.Join(failures...)
}

// field plans one field.
func (all planner) field(field reflect.StructField) (f fieldPlan, err error) {
	f.goName, f.embedded = field.Name, field.Anonymous
	f.name, _, _ = strings.Cut(field.Tag.Get("form"), ",")
	noInput := f.name == "-"
	if noInput || f.name == "" {
		f.name = field.Name
	}
	if f.secret, err = isSecret(field, f.name, noInput); err != nil {
		return f, err
	}
	switch {
	case !field.IsExported() && f.secret:
		return f, fmt.Errorf("field %s: an unexported embedded struct cannot be left out: tag its fields instead", field.Name)
	case !field.IsExported() && field.Type.Kind() == reflect.Pointer:
		return f, fmt.Errorf("field %s: an embedded pointer to an unexported type cannot be decoded: embed the type itself", field.Name)
	case f.secret:
		return f, nil
	}
	if f.plan, err = all.plan(field.Type); err != nil {
		return f, at(field.Name, err)
	}
	if f.plan.empty && field.IsExported() {
		return f, at(field.Name, errEmpty(field.Type))
	}
	return f, nil
}

// isSecret reports whether the session must not keep the field, whose input has
// the name formName: by its tags, by its type, or by how its names sound.
func isSecret(field reflect.StructField, formName string, noInput bool) (bool, error) {
	tag := field.Tag.Get("session")
	unwritten := field.Tag.Get("json") == "-"
	switch {
	case tag != "" && tag != "-" && tag != "keep":
		return false, fmt.Errorf(`field %s: the tag session:%q means nothing: use "-" to leave it out, "keep" to keep it`, field.Name, tag)
	case tag == "keep" && unwritten:
		return false, fmt.Errorf(`field %s: json:"-" contradicts session:"keep": remove one of them`, field.Name)
	case tag == "-", noInput, unwritten, isFile(field.Type):
		return true, nil
	}
	return tag != "keep" && !field.Anonymous && (soundsSecret(formName) || soundsSecret(field.Name)), nil
}

func errEmpty(t reflect.Type) error {
	return fmt.Errorf("has the type %s, which would come back empty: it has no exported fields, and no methods that marshal and unmarshal it", t)
}

// at puts a field's name in front of an error in it.
func at(name string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var failures []error
		for _, err := range joined.Unwrap() {
			failures = append(failures, at(name, err))
		}
		return errors.Join(failures...)
	}
	text := err.Error()
	if inner, ok := strings.CutPrefix(text, "field "); ok {
		return fmt.Errorf("field %s.%s", name, inner)
	}
	return fmt.Errorf(`field %s %s; or tag it session:"-" to leave it out`, name, text)
}

// isFile reports whether t is an uploaded file, or several.
func isFile(t reflect.Type) bool {
	for range 8 { // a type may consist of itself
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		}
	}
	return t == reflect.TypeFor[multipart.FileHeader]() || t == reflect.TypeFor[multipart.Form]()
}

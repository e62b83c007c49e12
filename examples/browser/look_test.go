package browser

import (
	_ "embed"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

//go:embed testdata/look.js
var look string

// show sets the window's width in pixels and its colour scheme, "light" or "dark".
func (b *tab) show(width int64, scheme string) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 800, DeviceScaleFactor: 1,
	})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// looksRight measures the page on a phone and on a desktop, light and dark.
func (b *tab) looksRight(page string) {
	b.Helper()
	for _, width := range []int64{360, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.show(width, scheme)
			if dark := run(b, chromedp.Evaluate[bool](`matchMedia("(prefers-color-scheme: dark)").matches`)); dark != (scheme == "dark") {
				b.Errorf("%s is not shown in %s", page, scheme)
			}
			for _, w := range run(b, chromedp.Evaluate[[]string](look)) {
				b.Errorf("%s at %d pixels, %s: %s", page, width, scheme, w)
			}
		}
	}
}

// showsFocus walks through the page with the Tab key: it must reach every
// control, and every control must show its focus.
func (b *tab) showsFocus(page string) {
	b.Helper()
	controls := run(b, chromedp.Evaluate[int](
		`document.activeElement.blur(), document.querySelectorAll("a, button, input:not([type=hidden])").length`))
	reached := map[string]bool{}
	for range 2*controls + 2 { // focus may begin in the middle, and leaves the page at the end
		b.do(chromedp.KeyEvent(kb.Tab))
		at := run(b, chromedp.Evaluate[struct {
			Path    string
			Outline bool
		}](`(() => {
			const e = document.activeElement, style = getComputedStyle(e);
			const all = [...document.querySelectorAll("*")];
			return {Path: e.tagName + all.indexOf(e), Outline: style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2};
		})()`))
		if strings.HasPrefix(at.Path, "BODY") {
			continue
		}
		reached[at.Path] = true
		if !at.Outline {
			b.Errorf("%s: the focus on %s is invisible", page, at.Path)
		}
	}
	if len(reached) < controls {
		b.Errorf("%s: the Tab key reaches %d of %d controls", page, len(reached), controls)
	}
}

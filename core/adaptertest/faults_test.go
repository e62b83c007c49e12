package adaptertest_test

import (
	"net/http"
	"strings"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter"
)

var faults = []fault{
	{
		name: "commits after the body",
		serve: func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
			var x httpadapter.Exchange
			if err := x.Load(m, w, r, refuser{&x, w}); err != nil {
				x.Refuse(err)
				return
			}
			next.ServeHTTP(w, r.WithContext(x.SessionContext()))
			x.Finish(http.StatusOK)
		},
		caughtBy: []string{
			"C7_SEC57_commits_on_text", "C7_AD6_AD13_SEC57_commits_on_stream", "C3_AD30_SEC58_save_fails_on_raw",
			"C4_SEC59_server_error_rolls_back", "C7_SEC37_never_cacheable",
			"F1_SEC63_errors_and_redirects_lose_no_flash",
		},
	},
	{
		name:     "loads and commits twice when mounted twice",
		serve:    through(func(x *httpadapter.Exchange) http.ResponseWriter { return x }),
		caughtBy: []string{"AD31_SEC68_middleware_mounted_twice"},
	},
	{
		name: "ignores the errors of handlers",
		handler: func(f func(adaptertest.Request) error) func(adaptertest.Request) error {
			return func(r adaptertest.Request) error {
				_ = f(r)
				return nil
			}
		},
		caughtBy: []string{
			"C4_AD21_returned_error_rolls_back", "AD12_AD15_AD17_AD24_C4_the_status_that_counts_is_the_clients",
			"C7_AD18_SEC57_commits_on_fail_404",
		},
	},
	{
		name: "drops the Set-Cookie lines of the application",
		wrap: onHeader(func(h http.Header) {
			if lines := h["Set-Cookie"]; len(lines) > 1 {
				h["Set-Cookie"] = lines[len(lines)-1:]
			}
		}),
		caughtBy: []string{"C7_the_apps_own_cookies_stay", "AD25_SEC31_header_lines_are_read_as_they_came"},
	},
	{
		name:     "lets the handler make the cookie cacheable",
		wrap:     onHeader(func(h http.Header) { h.Del("Cache-Control") }),
		caughtBy: []string{"C7_SEC37_never_cacheable", "C7_SEC25_golden_Set_Cookie"},
	},
	{
		name: "sets the cookie twice",
		wrap: onHeader(func(h http.Header) {
			if lines := h["Set-Cookie"]; len(lines) == 1 {
				h["Set-Cookie"] = append(lines, lines[0])
			}
		}),
		caughtBy: []string{"C7_SEC30_one_cookie_whatever_is_done", "C7_AD13_AD20_SEC57_commits_on_no_body"},
	},
	{
		name: "takes the first of two cookies",
		wrap: onRequest(func(r *http.Request) {
			cookies := r.Cookies()
			r.Header.Del("Cookie")
			if len(cookies) > 0 {
				r.AddCookie(cookies[0])
			}
		}),
		caughtBy: []string{"L2_AD1_SEC31_any_duplicate_is_refused"},
	},
	{
		name: "joins the lines of a header",
		wrap: onRequest(func(r *http.Request) {
			for name, lines := range r.Header {
				r.Header[name] = []string{strings.Join(lines, ", ")}
			}
		}),
		caughtBy: []string{"AD25_every_line_of_a_header_is_told"},
	},
	{
		name:    "takes the first of two tokens",
		backend: adaptertest.Bearer,
		wrap: onRequest(func(r *http.Request) {
			if lines := r.Header["Authorization"]; len(lines) > 1 {
				r.Header["Authorization"] = lines[:1]
			}
		}),
		caughtBy: []string{"L2_SEC31_two_tokens_in_the_header"},
	},
	{
		name:    "takes a token from the query",
		backend: adaptertest.Bearer,
		wrap: onRequest(func(r *http.Request) {
			if token := r.URL.Query().Get("access_token"); token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
		}),
		caughtBy: []string{"L1_SEC5_tokens_come_in_the_header_only"},
	},
	{
		name:     "takes a HEAD for a GET",
		wrap:     onRequest(func(r *http.Request) { r.Method = http.MethodGet }),
		caughtBy: []string{"F1_HEAD_shows_nothing"},
	},
	{
		name:     "does not pass on request headers",
		wrap:     onRequest(func(r *http.Request) { r.Header = http.Header{"Cookie": r.Header["Cookie"]} }),
		caughtBy: []string{"F1_prefetch_shows_nothing", "C7_SEC38_Secure_cookie_over_plain_HTTP_is_reported_once"},
	},
	{
		name: "serves without the session when the load fails",
		serve: func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
			var x httpadapter.Exchange
			_ = x.Load(m, w, r, refuser{&x, w})
			defer x.Close()
			next.ServeHTTP(&x, r.WithContext(x.SessionContext()))
			x.Finish(http.StatusOK)
		},
		caughtBy: []string{"L3_AD23_AD33_down_at_load", "E3_SEC9_mixed_up_answers_are_an_outage"},
	},
	{
		name: "says nothing when the commit fails",
		serve: func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
			var x httpadapter.Exchange
			if err := x.Load(m, w, r, silent{&x}); err != nil {
				httpadapter.WriteErrorResponse(w, err)
				return
			}
			defer x.Close()
			next.ServeHTTP(&x, r.WithContext(x.SessionContext()))
			x.Finish(http.StatusOK)
		},
		caughtBy: []string{"C3_AD30_SEC58_save_fails_on_text", "I2_SEC18_limit_refuses"},
	},
	{
		name: "commits what a panicking handler wrote",
		serve: func(m *core.Manager, next http.Handler, w http.ResponseWriter, r *http.Request) {
			var x httpadapter.Exchange
			if err := x.Load(m, w, r, refuser{&x, w}); err != nil {
				x.Refuse(err)
				return
			}
			defer x.Finish(http.StatusOK)
			next.ServeHTTP(&x, r.WithContext(x.SessionContext()))
		},
		caughtBy: []string{"C4_SEC59_panic_rolls_back", "C4_panic_before_any_session", "F1_SEC63_errors_and_redirects_lose_no_flash"},
	},
	{
		name:     "flushes without committing",
		serve:    through(func(x *httpadapter.Exchange) http.ResponseWriter { return noFlush{x} }),
		caughtBy: []string{"C7_AD6_AD13_SEC57_commits_on_flush_first"},
	},
	{
		name:     "takes early hints for the response",
		serve:    through(func(x *httpadapter.Exchange) http.ResponseWriter { return eager{x} }),
		caughtBy: []string{"AD8_SEC57_early_hints_are_not_the_response"},
	},
	{
		name:     "holds back no body",
		serve:    through(func(x *httpadapter.Exchange) http.ResponseWriter { return hasty{x} }),
		backend:  adaptertest.Cookie,
		caughtBy: []string{"C6_AD11_streaming_template_shows_a_flash_once"},
	},
}

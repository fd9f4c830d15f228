;; The settings of docs/editors.md, and what makes a picture readable.
(setq native-comp-deferred-compilation nil
      native-comp-async-report-warnings-errors nil
      inhibit-startup-screen t
      package-directory-list '("/usr/share/emacs/site-lisp/elpa"))
(package-initialize)
(menu-bar-mode -1)
(load-theme 'modus-vivendi t)
(require 'company)
(setq company-backends '(company-capf) company-idle-delay 0 company-minimum-prefix-length 1)
(global-company-mode)

(setq lsp-keymap-prefix "C-c l")
(require 'lsp-mode)
;; Not all folders of the environment.
(add-to-list 'lsp-file-watch-ignored-directories "[/\\\\]\\.venv\\'")
(defun daebus-command (&rest _)
  (list (expand-file-name ".venv/bin/daebus" (locate-dominating-file default-directory ".venv")) "lsp"))
(lsp-register-client
 (make-lsp-client :new-connection (lsp-stdio-connection #'daebus-command)
                  :activation-fn (lsp-activate-on "python")
                  :add-on? t
                  :server-id 'daebus))
(setq lsp-enabled-clients '(daebus)
      lsp-lens-enable t
      lsp-auto-guess-root t
      lsp-diagnostics-provider :flymake)
(add-hook 'python-mode-hook #'lsp)

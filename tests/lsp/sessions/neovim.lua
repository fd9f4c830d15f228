-- The settings of docs/editors.md, and what makes a picture readable.
vim.lsp.config('daebus', {
  cmd = { '.venv/bin/daebus', 'lsp' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', '.git' },
})
vim.lsp.enable('daebus')

vim.o.termguicolors = true
vim.o.number = true
vim.o.signcolumn = 'yes'
vim.o.laststatus = 0
vim.o.showmode = false
vim.o.ruler = false
vim.o.swapfile = false
vim.o.completeopt = 'menuone,noinsert,popup'
vim.o.pumheight = 8
vim.diagnostic.config({ virtual_text = { prefix = '■' } })
vim.api.nvim_set_hl(0, '@lsp.mod.message.python', { bold = true })
vim.api.nvim_set_hl(0, '@lsp.mod.service.python', { italic = true, fg = '#8fc379' })
vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(args)
    vim.lsp.completion.enable(true, args.data.client_id, args.buf)
    vim.keymap.set('i', '<C-Space>', vim.lsp.completion.get, { buffer = args.buf })
    vim.lsp.inlay_hint.enable(true, { bufnr = args.buf })
  end,
})

<#
.SYNOPSIS
    Lets one account shut this computer down over the home network, for pimgr. With -Undo, puts everything back.
.DESCRIPTION
    Run it in a PowerShell window that was opened with "Run as administrator":

        powershell -ExecutionPolicy Bypass -File prepare-windows.ps1 -Account pimgr
        powershell -ExecutionPolicy Bypass -File prepare-windows.ps1 -Account pimgr -Undo

    Four steps, each of which says what it found and what it did:
      1. the user right "Force shutdown from a remote system" (SeRemoteShutdownPrivilege) for the account;
      2. LocalAccountTokenFilterPolicy = 1, so that a local administrator keeps its rights over the network;
      3. the service RemoteRegistry started, and started with Windows;
      4. a firewall rule for file sharing (TCP 445), from the own network only.
    What was found is kept in C:\ProgramData\pimgr\before.json, before anything is changed. Running it twice changes
    nothing more. It works on Windows Home too, which has no secpol.msc.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Account,
    [switch] $Undo
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$Right = 'SeRemoteShutdownPrivilege'
$Policy = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
$Value = 'LocalAccountTokenFilterPolicy'
$Service = 'RemoteRegistry'
$Rule = 'pimgr-smb-in'
$Folder = Join-Path $env:ProgramData 'pimgr'
$Before = Join-Path $Folder 'before.json'

function Assert-Administrator {
    $me = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'Open PowerShell with "Run as administrator", and run this again. Nothing was changed.'
    }
}

function Get-Sid {
    try { (New-Object Security.Principal.NTAccount($Account)).Translate([Security.Principal.SecurityIdentifier]).Value }
    catch { throw "There is no account '$Account' on this computer. Nothing was changed." }
}

# The accounts that have the right, as secedit writes them: *SID or a name, with commas in between.
function Get-Holders {
    $file = Join-Path $Folder 'rights.inf'
    secedit.exe /export /areas USER_RIGHTS /cfg $file | Out-Null
    if ($LASTEXITCODE -ne 0) { throw "secedit could not read the user rights ($LASTEXITCODE). Nothing was changed." }
    $line = Get-Content $file | Where-Object { $_ -match "^$Right\s*=" } | Select-Object -First 1
    Remove-Item $file
    if ($line) { @(($line -split '=', 2)[1].Trim() -split '\s*,\s*' | Where-Object { $_ }) } else { @() }
}

function Set-Holders([string[]] $Holders) {
    $file = Join-Path $Folder 'rights.inf'
    $database = Join-Path $Folder 'rights.sdb'
    @('[Unicode]', 'Unicode=yes', '[Version]', 'signature="$CHICAGO$"', 'Revision=1', '[Privilege Rights]',
        "$Right = $($Holders -join ',')") | Set-Content -Encoding Unicode $file
    secedit.exe /configure /db $database /cfg $file /areas USER_RIGHTS | Out-Null
    $status = $LASTEXITCODE
    Remove-Item $file, $database -ErrorAction SilentlyContinue
    if ($status -ne 0) { throw "secedit could not set the user rights ($status)." }
}

function Get-Filter {
    $found = Get-ItemProperty -Path $Policy -Name $Value -ErrorAction SilentlyContinue
    if ($null -eq $found) { $null } else { $found.$Value }
}

function Set-Filter($Number) {
    if ($null -eq $Number) { Remove-ItemProperty -Path $Policy -Name $Value -ErrorAction SilentlyContinue }
    else { New-ItemProperty -Path $Policy -Name $Value -Value $Number -PropertyType DWord -Force | Out-Null }
}

function Get-Registry {
    $found = Get-CimInstance Win32_Service -Filter "Name='$Service'"
    @{ StartMode = $found.StartMode; Running = ($found.State -eq 'Running') }
}

function Set-Registry([string] $StartMode, [bool] $Running) {
    $type = if ($StartMode -eq 'Auto') { 'Automatic' } else { $StartMode }
    if ($Running) { Set-Service $Service -StartupType $type; Start-Service $Service }
    else { Stop-Service $Service -Force; Set-Service $Service -StartupType $type }
}

function Add-Rule {
    if (Get-NetFirewallRule -Name $Rule -ErrorAction SilentlyContinue) { return }
    New-NetFirewallRule -Name $Rule -DisplayName 'pimgr: shutdown over the network (TCP 445)' -Direction Inbound `
        -Action Allow -Protocol TCP -LocalPort 445 -RemoteAddress LocalSubnet -Profile Private, Domain | Out-Null
}

function Remove-Rule {
    Get-NetFirewallRule -Name $Rule -ErrorAction SilentlyContinue | Remove-NetFirewallRule
}

Assert-Administrator
New-Item -ItemType Directory -Force $Folder | Out-Null

if ($Undo) {
    if (-not (Test-Path $Before)) { throw "Nothing to undo: $Before is not there. Nothing was changed." }
    $found = Get-Content -Raw $Before | ConvertFrom-Json
    Remove-Rule
    Set-Registry $found.Registry.StartMode $found.Registry.Running
    Set-Filter $found.Filter
    Set-Holders @($found.Holders)
    Remove-Item $Before
    Write-Host "Put back as it was: the right, $Value, $Service and the firewall rule."
    return
}

$holder = "*$(Get-Sid)"
$holders = @(Get-Holders)
if (-not (Test-Path $Before)) {
    @{ Holders = $holders; Filter = (Get-Filter); Registry = (Get-Registry) } | ConvertTo-Json | Set-Content $Before
}
if ($holders -contains $holder -or $holders -contains $Account) { Write-Host "1. $Account had the right already." }
else { Set-Holders ($holders + $holder); Write-Host "1. $Account may now shut this computer down from the network." }
Set-Filter 1
Write-Host "2. $Value is 1."
Set-Registry 'Auto' $true
Write-Host "3. $Service runs, and starts with Windows."
Add-Rule
Write-Host '4. The firewall lets file sharing (TCP 445) in from the own network, if Windows calls that "private".'
Write-Host "What was found before is in $Before; -Undo puts it back."
